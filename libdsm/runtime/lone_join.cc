// SPDX-License-Identifier: Apache-2.0
// A lone process asks the launcher for agents and becomes a distributed one. Until the agent's Welcome nothing has changed, and whatever
// goes wrong means that the process runs without; from then on its memory is moved and a failure is fatal.
//
// The question is a Join packet on the launcher's socket, which all processes of the job share, with one end of a new socket. The
// launcher answers on that, and passes it on to the agent: it is the control socket of the process.
#include <asm-generic/errno.h>
#include <linux/resource.h>

#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/userfault.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kAnswerMs = 30'000;   // more than the launcher gives its first agents
// Agents on other hosts are started by ssh; the launcher has deadlines of its own, and closes the socket when it gives up.
constexpr uint64_t kAgentsMs = 120'000;

// Something can be read from the socket, which is more than its end.
bool arrives_within(int fd, uint64_t milliseconds) {
  constexpr int kPeek = 2, kDontWait = 0x40;
  const int64_t ready = readable_within(fd, milliseconds);
  if (ready == 0) log("no agents for this process: waited %d ms for the launcher", milliseconds);
  char byte;
  return ready > 0 && sys(__NR_recvfrom, fd, &byte, 1, kPeek | kDontWait, nullptr, nullptr) > 0;
}

bool ask_launcher() {
  constexpr int kUnix = 1, kSeqPacket = 5, kCloseOnExec = 02000000;
  Process& self = process();
  int ends[2];
  if (sys(__NR_socketpair, kUnix, kSeqPacket | kCloseOnExec, 0, ends) != 0) return false;
  self.control.open(to_private_fd(ends[0]));
  abi::Packet packet = {};
  packet.op = abi::Op::kJoin;
  packet.join = {abi::kVersion, static_cast<int32_t>(sys(__NR_getpid))};
  const int64_t sent = send_packet(self.lone.launcher_fd, packet, &ends[1], 1);
  sys(__NR_close, ends[1]);
  if (sent != sizeof packet || !arrives_within(self.control.fd(), kAnswerMs)) return false;
  self.control.receive(packet, nullptr);
  return packet.op == abi::Op::kReply && packet.reply.status == 0;
}

}  // namespace

bool join_job() {
  Process& self = process();
  // The memory file is as large as the address space (open_memory_file).
  if (resource_limit(RLIMIT_FSIZE).hard < abi::kUserEnd || !userfault_is_allowed() || !ask_launcher()) return false;
  Thread& thread = current_thread();
  const CpuSet affinity = thread.affinity;
  open_memory_and_board();
  send_hello();
  if (!arrives_within(self.control.fd(), kAgentsMs)) return false;
  receive_welcome();
  thread.affinity = affinity;
  self.memory.take_over_native();
  self.lone.alone = false;
  self.lone.joined = true;
  board::enter(thread, abi::ThreadState::kRunning, self.welcome.node);
  board::count_creation(self.welcome.node);
  return true;
}

}  // namespace dsm::runtime
