// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/runtime_port.h"

#include <cerrno>

#include "libdsm/os/seqpacket.h"

namespace dsm::agent {

RuntimePort::RuntimePort(os::Fd socket) : socket_(std::move(socket)) { os::set_nonblocking(socket_.get(), true); }

RuntimePort::Input RuntimePort::receive(RuntimeRequest& request) {
  if (!socket_) return Input::kNothing;
  request.fds.clear();
  auto bytes = std::as_writable_bytes(std::span(&request.packet, 1));
  int n = os::receive_packet(socket_.get(), bytes, &request.fds);
  if (n == -EAGAIN) return Input::kNothing;
  return n == static_cast<int>(sizeof(abi::Packet)) ? Input::kRequest : Input::kClosed;
}

int RuntimePort::try_send(const Outgoing& out) {
  std::vector<int> fds;
  for (const os::Fd& fd : out.fds) fds.push_back(fd.get());
  return os::send_packet(socket_.get(), std::as_bytes(std::span(&out.packet, 1)), fds);
}

void RuntimePort::send(const abi::Packet& packet, std::vector<os::Fd> fds) {
  if (!socket_) return;
  waiting_.push_back({packet, std::move(fds)});
  flush();
}

void RuntimePort::reply(uint32_t serial, int64_t status, os::Fd fd) {
  abi::Packet packet{};
  packet.op = abi::Op::kReply;
  packet.serial = serial;
  packet.reply.status = status;
  std::vector<os::Fd> fds;
  if (fd) fds.push_back(std::move(fd));
  send(packet, std::move(fds));
}

bool RuntimePort::flush() {
  while (!waiting_.empty() && socket_) {
    if (try_send(waiting_.front()) == -EAGAIN) return false;
    waiting_.pop_front();  // another error: the runtime is gone, which receive() reports
  }
  return true;
}

}  // namespace dsm::agent
