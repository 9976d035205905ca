// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/join_port.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <span>
#include <vector>

#include "libdsm/os/process.h"
#include "libdsm/os/seqpacket.h"
#include "libdsm/runtime/abi.h"

namespace dsm::tools {
namespace {

struct Received {
  abi::Packet packet{};
  ucred sender{};
  std::vector<os::Fd> fds;   // one: the launcher's end of the control socket
};

bool is_valid(const Received& question) {
  const abi::Packet& packet = question.packet;
  return question.fds.size() == 1 && packet.op == abi::Op::kJoin && packet.join.version == abi::kVersion && packet.join.pid == question.sender.pid &&
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
  os::set_nonblocking(ours_.get(), true);
  const int on = 1;
  if (setsockopt(ours_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on)) return system_error("SO_PASSCRED", errno);
  return success();
}

std::optional<JoinRequest> JoinPort::receive() {
  for (;;) {
    Received question;
    const int got = os::receive_packet(ours_.get(), std::as_writable_bytes(std::span(&question.packet, 1)), &question.fds, &question.sender);
    if (got == 0) ours_.reset();
    if (got == 0 || (got < 0 && got != -EMSGSIZE)) return std::nullopt;
    if (got != sizeof question.packet || !is_valid(question)) continue;
    os::Fd process = os::open_pidfd(question.sender.pid);
    if (!process) continue;
    return JoinRequest{question.sender.pid, std::move(process), std::move(question.fds[0]), name_of_process(question.sender.pid)};
  }
}

void JoinPort::answer(const JoinRequest& request, int status) {
  abi::Packet packet{};
  packet.op = abi::Op::kReply;
  packet.reply.status = status;
  os::send_packet(request.control.get(), std::as_bytes(std::span(&packet, 1)), {});
}

}  // namespace dsm::tools
