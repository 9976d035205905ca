// SPDX-License-Identifier: Apache-2.0
// The socket on which processes of a job ask the launcher for agents: every process of the job can write to it. Packets of any
// length with any number of descriptors; a question that is let through has what the launcher goes on with.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "libdsm/base/check.h"
#include "libdsm/os/fd.h"
#include "libdsm/os/process.h"
#include "libdsm/os/seqpacket.h"
#include "libdsm/runtime/abi.h"
#include "tests/fuzz/fuzz_target.h"
#include "tools/dsm-launch/join_port.h"

namespace {

using namespace dsm;

constexpr size_t kMostPackets = 8;

abi::Packet valid_question() {
  abi::Packet packet{};
  packet.op = abi::Op::kJoin;
  packet.join.version = abi::kVersion;
  packet.join.pid = os::own_pid();
  return packet;
}

// A packet's record: bytes that follow / 2, descriptors, the bytes. A valid question names a process that changes from run to run,
// so a record of zero bytes stands for one.
void send_all(int socket, const uint8_t* data, size_t size) {
  for (size_t sent = 0; size >= 2 && sent < kMostPackets; ++sent) {
    const size_t wanted = size_t{data[0]} * 2, descriptors = data[1] % 4;
    data += 2, size -= 2;
    const size_t bytes = std::min(wanted, size);
    const abi::Packet question = valid_question();
    std::vector<std::byte> packet(bytes);
    std::memcpy(packet.data(), data, bytes);
    data += bytes, size -= bytes;
    os::Fd control(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const std::vector<int> fds(descriptors, control.get());
    os::send_packet(socket, bytes == 0 ? std::as_bytes(std::span(&question, 1)) : packet, fds);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tools::JoinPort port;
  DSM_CHECK(port.open().ok());
  os::set_nonblocking(port.inherited_fd(), true);
  send_all(port.inherited_fd(), data, size);
  port.close_inherited();
  while (const auto question = port.receive()) {
    DSM_CHECK(question->pid == os::own_pid() && question->process && question->control && !question->name.empty());
    tools::JoinPort::answer(*question, -11);
  }
  DSM_CHECK(!port.is_open());   // all was read, up to the end
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const abi::Packet packet = valid_question();
  const std::string question(reinterpret_cast<const char*>(&packet), sizeof packet);
  const std::string record = std::string(1, static_cast<char>(question.size() / 2)) + "\x01" + question;
  const std::string valid("\0\x01", 2), without("\0\0", 2), with_two("\0\x02", 2);
  return {record, valid + valid, valid + without + with_two + valid, record + valid};
}
