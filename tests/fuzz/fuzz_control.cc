// SPDX-License-Identifier: Apache-2.0
// The control streams: the launcher's lines to an agent, and lines on the socket that dsm-stat asks. The first byte says which.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "libdsm/agent/launcher_port.h"
#include "libdsm/base/check.h"
#include "libdsm/os/fd.h"
#include "tests/fuzz/fuzz_target.h"
#include "tools/common/line_stream.h"

namespace {

using namespace dsm;

void to_agent(const char* text, size_t size) {
  os::Fd file(::memfd_create("lines", MFD_CLOEXEC));
  DSM_CHECK(::pwrite(file.get(), text, size, 0) == static_cast<ssize_t>(size));
  agent::LauncherPort port(file.get(), -1);
  std::vector<agent::Command> commands;
  for (;;) {
    auto input = port.read(commands);
    if (!input) {
      DSM_CHECK(!input.error().what.empty());
      break;
    }
    if (*input == agent::LauncherPort::Input::kClosed) break;
  }
  for (const agent::Command& command : commands) {
    const auto* configure = std::get_if<agent::Configure>(&command);
    if (configure) DSM_CHECK(configure->nodes <= kMaxNodes && configure->node.value < configure->nodes);
    if (const auto* peers = std::get_if<agent::Peers>(&command))
      for (const agent::Peer& peer : peers->peers) DSM_CHECK(peer.node.value < kMaxNodes);
  }
}

void to_launcher(const char* text, size_t size) {
  int ends[2];
  DSM_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  tools::LineStream stream(ends[0]);
  os::Fd client(ends[1]);
  [[maybe_unused]] ssize_t n = ::send(client.get(), text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  client.reset();
  for (bool open = true; open;) {
    open = stream.fill();
    while (auto line = stream.next_line()) {
      const auto value = nlohmann::json::parse(*line, nullptr, false);
      if (value.is_object() && value.contains("event") && value["event"].is_string()) stream.send(value);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const char* text = reinterpret_cast<const char*>(data) + 1;
  if (data[0] % 2) to_launcher(text, size - 1);
  else to_agent(text, size - 1);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string configure =
      R"({"cmd":"configure","job":"1","node":1,"nodes":2,"secret":")" + std::string(64, 'b') +
      R"(","runtime":"/r","bind":"127.0.0.1","place":"node:1","lease":"20","poll":"auto","encrypt":"on","epoch":3,"hold_us":20,)"
      R"("verbose":false,"heartbeat_ms":500,"app_fd":-1})" "\n";
  const std::string peers =
      R"({"cmd":"peers","peers":[{"node":0,"addr":"127.0.0.1","port":1},{"node":1,"addr":"::1","port":2}],"cpus":[2,2],"app_pid":7})" "\n";
  const std::string others = R"({"cmd":"stats","id":1})" "\n" R"({"cmd":"shutdown"})" "\n";
  return {std::string(1, '\0') + configure + peers + others, std::string(1, '\0') + configure, std::string(1, '\0') + peers,
          "\x01" R"({"event":"listening","node":0,"addr":"127.0.0.1","port":4711})" "\n", "\x01stats\n"};
}
