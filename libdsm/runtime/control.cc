// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/control.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

// The kernel's struct msghdr and its parts.
struct IoVector {
  void* base;
  uint64_t bytes;
};
struct MessageHeader {
  void* name;
  uint32_t name_bytes;
  uint32_t pad;
  IoVector* vector;
  uint64_t vectors;
  void* ancillary;
  uint64_t ancillary_bytes;
  int32_t flags;
  uint32_t pad2;
};
constexpr unsigned kMaxFds = 3;
struct FdMessage {
  uint64_t bytes;
  int32_t level, type;
  int32_t fd[kMaxFds + 1];
};
constexpr int kSolSocket = 1, kScmRights = 1;
constexpr int kMsgNoSignal = 0x4000, kMsgCloseOnExec = 0x40000000;

}  // namespace

int64_t send_packet(int socket, const abi::Packet& packet, const int* fds, unsigned fd_count) {
  RT_CHECK(fd_count <= kMaxFds);
  IoVector vector = {const_cast<abi::Packet*>(&packet), sizeof packet};
  FdMessage rights = {16 + 4 * fd_count, kSolSocket, kScmRights, {}};
  for (unsigned i = 0; i < fd_count; i++) rights.fd[i] = fds[i];
  MessageHeader message = {};
  message.vector = &vector;
  message.vectors = 1;
  if (fd_count > 0) {
    message.ancillary = &rights;
    message.ancillary_bytes = 16 + 8 * ((fd_count + 1) / 2);
  }
  int64_t sent;
  do sent = sys(__NR_sendmsg, socket, &message, kMsgNoSignal);
  while (sent == -EINTR);
  return sent;
}

void Control::send(abi::Packet& packet, const int* fds, unsigned fd_count) {
  packet.serial = ++serial_;
  const int64_t sent = send_packet(fd_, packet, fds, fd_count);
  if (sent != sizeof packet) fail("the node agent is gone (control socket: error %d)", sent < 0 ? -sent : 0);
}

void Control::receive(abi::Packet& packet, int* fd) {
  IoVector vector = {&packet, sizeof packet};
  FdMessage rights = {};
  MessageHeader message = {};
  message.vector = &vector;
  message.vectors = 1;
  message.ancillary = &rights;
  message.ancillary_bytes = sizeof rights;
  int64_t got;
  do {
    message.ancillary_bytes = sizeof rights;
    got = sys(__NR_recvmsg, fd_, &message, kMsgCloseOnExec);
  } while (got == -EINTR);
  if (got <= 0) fail("the node agent is gone (control socket: error %d)", got < 0 ? -got : 0);
  RT_CHECK(got == sizeof packet);
  const bool has_fd = message.ancillary_bytes >= 20 && rights.level == kSolSocket && rights.type == kScmRights;
  if (fd != nullptr)
    *fd = has_fd ? rights.fd[0] : -1;
  else if (has_fd)
    sys(__NR_close, rights.fd[0]);
}

int64_t Control::request(abi::Packet& packet, int fd_to_agent, int* fd_from_agent) {
  LockGuard guard(lock_);
  send(packet, &fd_to_agent, fd_to_agent >= 0 ? 1 : 0);
  const uint32_t serial = packet.serial;
  receive(packet, fd_from_agent);
  RT_CHECK(packet.serial == serial);
  RT_CHECK(packet.op == abi::Op::kReply || packet.op == abi::Op::kReplyStats || packet.op == abi::Op::kWelcome);
  return packet.op == abi::Op::kWelcome ? 0 : packet.reply.status;   // stats.status has the same place
}

int64_t readable_within(int fd, uint64_t milliseconds) {
  constexpr int16_t kPollIn = 1;
  struct {
    int32_t fd;
    int16_t events, seen;
  } waiting = {fd, kPollIn, 0};
  int64_t ready;
  do ready = sys(__NR_poll, &waiting, 1, milliseconds);
  while (ready == -EINTR);
  return ready;
}

int64_t Control::request_within(abi::Packet& packet, uint64_t milliseconds) {
  const int64_t pause[2] = {0, 1'000'000};
  uint64_t waited = 0;
  for (; !lock_.try_lock(); waited++) {
    if (waited >= milliseconds) return -ETIMEDOUT;
    sys(__NR_nanosleep, pause, nullptr);
  }
  send(packet, nullptr, 0);
  if (readable_within(fd_, milliseconds - waited) <= 0) return -ETIMEDOUT;
  receive(packet, nullptr);
  lock_.unlock();
  return packet.reply.status;
}

int64_t agent_map_add(const abi::MapAdd& range, int file_fd) {
  abi::Packet packet = {};
  packet.op = abi::Op::kMapAdd;
  packet.map_add = range;
  return process().control.request(packet, file_fd);
}

int64_t agent_map_protect(uint64_t start, uint64_t length, uint32_t prot) {
  abi::Packet packet = {};
  packet.op = abi::Op::kMapProtect;
  packet.map_protect = {start, length, prot, 0};
  return process().control.request(packet);
}

int64_t agent_range(abi::Op op, uint64_t start, uint64_t length) {
  abi::Packet packet = {};
  packet.op = op;
  packet.range = {start, length};
  return process().control.request(packet);
}

}  // namespace dsm::runtime
