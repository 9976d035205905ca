// SPDX-License-Identifier: Apache-2.0
// dsmd: the node agent. The launcher starts it and speaks with it over stdin and stdout (docs/interfaces.md, section 3).
#include <csignal>
#include <cstring>
#include <unistd.h>

#include "libdsm/agent/node_agent.h"
#include "libdsm/os/fd.h"
#include "libdsm/os/stream.h"

namespace {

constexpr int kExitTrouble = 125;
constexpr int kConfigurePatienceMs = 120'000;
constexpr int kFailurePatienceMs = 3000;
constexpr char kVersion[] = "dsmd 1\n";
constexpr char kHelp[] =
    "usage: dsmd [--help | --version]\n"
    "\n"
    "The node agent of dsm. dsm-launch starts one on each node and controls it by JSON lines on\n"
    "standard input; its answers go to standard output, its log to standard error.\n";

void print(int fd, const char* text) { [[maybe_unused]] ssize_t n = ::write(fd, text, std::strlen(text)); }

// The terminal's signals are for the program; the launcher passes on what is meant for us.
void ignore_terminal_signals() {
  for (int signal : {SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(signal, SIG_IGN);
}

int serve() {
  using namespace dsm;
  Log log("dsmd");
  agent::LauncherPort launcher(STDIN_FILENO, STDOUT_FILENO);
  std::vector<agent::Command> commands;
  while (commands.empty()) {
    // Behind a network that was cut, the end of the stream may never come.
    if (!os::wait_readable(STDIN_FILENO, kConfigurePatienceMs)) {
      log.error("control stream: no configuration within " + std::to_string(kConfigurePatienceMs / 1000) + " s");
      return kExitTrouble;
    }
    Result<agent::LauncherPort::Input> input = launcher.read(commands);
    if (!input) {
      log.error(input.error().what);
      return kExitTrouble;
    }
    if (*input == agent::LauncherPort::Input::kClosed) return 0;
  }
  if (std::holds_alternative<agent::Shutdown>(commands.front())) return 0;   // the job failed before it began
  const auto* configure = std::get_if<agent::Configure>(&commands.front());
  if (configure == nullptr) {
    log.error("control stream: must begin with a configure line");
    return kExitTrouble;
  }
  log.set_who("dsmd[" + std::to_string(configure->node.value) + "]");
  log.set_verbose(configure->verbose);
  os::set_nonblocking(STDIN_FILENO, true);
  os::set_nonblocking(STDOUT_FILENO, true);

  agent::NodeAgent agent(*configure, launcher, log);
  Status started = agent.start();
  if (!started) {
    log.info(started.error().what);   // the launcher says it
    launcher.failed(configure->node, started.error().what);
    // The program waits for this agent. It is ended by the launcher, and must not first say for itself that the agent is gone.
    os::wait_readable(STDIN_FILENO, kFailurePatienceMs);
    return kExitTrouble;
  }
  return agent.run(std::span(commands).subspan(1));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) return print(STDOUT_FILENO, kHelp), 0;
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) return print(STDOUT_FILENO, kVersion), 0;
  if (argc != 1) return print(STDERR_FILENO, kHelp), 2;
  ignore_terminal_signals();
  return serve();
}
