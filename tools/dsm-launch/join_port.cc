// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/join_port.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "libdsm/os/process.h"
#include "libdsm/os/seqpacket.h"
#include "libdsm/runtime/abi.h"

namespace dsm::tools {
namespace {

struct Received {
  abi::Packet packet{};
  ucred sender{};
  os::Fd control;
};

enum class Input { kNothing, kEnd, kQuestion, kRubbish };

Input receive_packet(int socket, Received& out) {
  iovec vector{&out.packet, sizeof out.packet};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(4 * sizeof(int))> ancillary{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  ssize_t got;
  do got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got == 0) return Input::kEnd;
  if (got < 0) return Input::kNothing;
  size_t fds = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) std::memcpy(&out.sender, CMSG_DATA(part), sizeof out.sender);
    if (part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + CMSG_LEN(sizeof(int)) <= part->cmsg_len; at += sizeof(int), ++fds) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
      out.control = os::Fd(fd);
    }
  }
  const bool whole = got == static_cast<ssize_t>(sizeof out.packet) && fds == 1 && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
  return whole ? Input::kQuestion : Input::kRubbish;
}

bool is_valid(const Received& question) {
  const abi::Packet& packet = question.packet;
  return packet.op == abi::Op::kJoin && packet.join.version == abi::kVersion && packet.join.pid == question.sender.pid &&
         question.sender.pid > 0 && question.sender.uid == geteuid();
}

std::string name_of_process(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

}  // namespace

Status JoinPort::open() {
  if (const int error = os::make_packet_pair(&ours_, &theirs_); error != 0) return system_error("socketpair", -error);
  const int on = 1;
  if (setsockopt(ours_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on)) return system_error("SO_PASSCRED", errno);
  return success();
}

std::optional<JoinRequest> JoinPort::receive() {
  for (;;) {
    Received question;
    const Input input = receive_packet(ours_.get(), question);
    if (input == Input::kEnd) ours_.reset();
    if (input == Input::kNothing || input == Input::kEnd) return std::nullopt;
    if (input == Input::kRubbish || !is_valid(question)) continue;
    os::Fd process = os::open_pidfd(question.sender.pid);
    if (!process) continue;
    return JoinRequest{question.sender.pid, std::move(process), std::move(question.control), name_of_process(question.sender.pid)};
  }
}

void JoinPort::answer(const JoinRequest& request, int status) {
  abi::Packet packet{};
  packet.op = abi::Op::kReply;
  packet.reply.status = status;
  os::send_packet(request.control.get(), std::as_bytes(std::span(&packet, 1)), {});
}

}  // namespace dsm::tools
