// SPDX-License-Identifier: Apache-2.0
// Checkpoints: what the keeper does is waited for beside everything else.
#include <poll.h>

#include "libdsm/agent/node_agent.h"
#include "libdsm/os/clock.h"

namespace dsm::agent {

void NodeAgent::keep_process_image(uint32_t serial, os::Fd image) {
  if (const int error = checkpoints_.begin(std::move(image), engine_, runtime_.space(), *runtime_.memory()); error != 0)
    return runtime_.reply(serial, error);
  image_serial_ = serial;
  watch_checkpoint();
}

void NodeAgent::load_memory_first() {
  if (!checkpoints_.has_to_load()) return;
  runtime_.hold_welcome(true);
  if (checkpoints_.begin_load(runtime_.memory()->pages().memfd()) != 0) return fail("the program's memory cannot be loaded");
  watch_checkpoint();
}

void NodeAgent::watch_checkpoint() {
  checkpoint_watch_ = transport_->watch(checkpoints_.completion_fd(), POLLIN, [this](uint32_t) { checkpoint_done_ = true; });
}

bool NodeAgent::take_checkpoint_end() {
  if (!std::exchange(checkpoint_done_, false)) return false;
  transport_->unwatch(*checkpoint_watch_);
  checkpoint_watch_.reset();
  if (image_serial_) {
    runtime_.reply(*std::exchange(image_serial_, std::nullopt), checkpoints_.finish(os::now_ns()));
  } else if (auto loaded = checkpoints_.loaded(); !loaded.ok()) {
    fail("the program's memory cannot be loaded: " + loaded.error().what);
  } else {
    runtime_.hold_welcome(false);
  }
  return true;
}

// A thread at the origin makes it; where there is none, one is called home for it.
void NodeAgent::check_checkpoint(TimeNs now) {
  if (!checkpoints_.due(now) || checkpoints_.busy() || image_serial_) return;
  checkpoints_.asked(now);
  ThreadBoard& board = runtime_.board();
  board.ask_for_checkpoint();
  const std::vector<ThreadBoard::Program> threads = board.list_program();
  for (const ThreadBoard::Program& thread : threads)
    if (thread.node == kOrigin.value) return static_cast<void>(kick_thread(ThreadId{static_cast<int32_t>(thread.kernel_tid)}));
  if (threads.empty()) return;
  board.ask_to_move(threads.front(), kOrigin.value);
  kick_thread(ThreadId{static_cast<int32_t>(threads.front().kernel_tid)});
}

}  // namespace dsm::agent
