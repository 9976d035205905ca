// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/image_writer.h"

#include <asm-generic/errno.h>
#include <linux/memfd.h>

#include "libdsm/runtime/atomics.h"
#include "libdsm/runtime/channel_protocol.h"
#include "libdsm/runtime/image_stop.h"
#include "libdsm/runtime/migrate.h"
#include "libdsm/runtime/register_frame.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kInNewProcess = 1;   // what the call returns there

// The newest bytes of all pages are at the origin, and nobody writes: until kThaw.
int64_t whole_memory(abi::Op op) {
  abi::Packet packet = {};
  packet.op = op;
  packet.range = {abi::kUserBegin, abi::kUserEnd - abi::kUserBegin};
  return process().control.request(packet);
}

int64_t hand_to_agent(int64_t file, uint64_t losses) {
  abi::Packet packet = {};
  packet.op = abi::Op::kProcessImage;
  packet.process_image = {losses};
  LockGuard guard(process().memory.lock());
  if (const int64_t error = whole_memory(abi::Op::kFreeze); error != 0) return error;
  const int64_t result = process().control.request(packet, static_cast<int>(file));
  RT_CHECK(whole_memory(abi::Op::kThaw) == 0);
  return result;
}

// `self`'s state is at start_frame(). What a checkpoint's caller gets.
int64_t make_checkpoint(Thread& self) {
  if (const int64_t error = stop_for_image(self); error != 0) return error;
  // As for those that are parked: the program's signals wait in the kernel, where they are seen.
  const uint64_t mask = exchange_kernel_mask(~(kSynchronousSignals | kReservedSignals));
  uint32_t losses = 0;
  int64_t result = write_process_image(self, &losses);
  if (!is_error(result)) {
    const int64_t file = result;
    result = hand_to_agent(file, losses);
    sys(__NR_close, file);
  }
  exchange_kernel_mask(mask);
  release_from_image();
  return result;
}

}  // namespace

int64_t write_process_image(Thread& self, uint32_t* losses) {
  Process& process_state = process();
  ImageBuilder builder(process_state.arena);
  // The calling thread's own part needs nothing of the others.
  add_thread(self, builder);
  add_parked_threads(self, builder);
  order_threads(builder);
  {
    LockGuard guard(process_state.memory.lock());
    add_process(builder);
    add_memory(builder);
  }
  add_posix_timers(builder);
  add_files(builder);
  add_children(builder);
  *losses = builder.count(image::SectionKind::kLost);
  const int64_t file = sys(__NR_memfd_create, "dsm-image", MFD_CLOEXEC);
  if (is_error(file)) return file;
  if (const int64_t error = builder.write_to(file); error != 0) {
    sys(__NR_close, file);
    return error;
  }
  return file;
}

int64_t take_checkpoint(Call& call) {
  Thread& self = call.thread;
  if (call.user == nullptr) return -EINVAL;
  if (is_vessel()) {   // made again at the origin
    call.user->reg[kRax] = static_cast<uint64_t>(call.number);
    call.user->reg[kRip] -= 2;
    migrate_home(self, *call.user, channel::kForImage);
  }
  if (process().lone.alone) return -EOPNOTSUPP;
  Frame& frame = start_frame(self);
  capture_frame(frame, *call.user);
  frame.context.reg[kRax] = kInNewProcess;
  const int64_t result = make_checkpoint(self);
  if (self.remote.called_from == 0) return result;
  call.user->reg[kRax] = static_cast<uint64_t>(result);
  leave_origin(self, *call.user, self.remote.called_from);
}

void checkpoint_if_asked(Thread& thread, const UserContext& user) {
  abi::Board* board = process().board;
  if (board == nullptr || load_ordered(board->checkpoint_request) == 0 || !may_move_at(user)) return;
  if (__atomic_exchange_n(&board->checkpoint_request, 0, __ATOMIC_SEQ_CST) == 0) return;
  capture_frame(start_frame(thread), user);
  const int64_t error = make_checkpoint(thread);
  if (process().welcome.verbose != 0 && error != 0) log("no checkpoint: error %d", -error);
}

}  // namespace dsm::runtime
