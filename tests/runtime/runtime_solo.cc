// SPDX-License-Identifier: Apache-2.0
// Runs a program under the runtime on one node, with the smallest agent that keeps the contract of abi.h: everything stays
// native at the origin, so every program must behave as it does alone.
//
//   runtime_solo [--cpus N] [--stats] [--keep FOLDER [--end]] RUNTIME PROGRAM ARG...
//   runtime_solo [--cpus N] [--stats] [--keep FOLDER [--end]] --restore FOLDER RUNTIME
//
// --keep: checkpoints that the program takes (DSM_CALL_CHECKPOINT) go to FOLDER; --end: it is killed at the first, as by a crash, and the
// exit status is 0. --restore: the program of the checkpoint in FOLDER goes on, in a PID namespace of its own.
// The exit status is the program's (128 + signal when it was killed). The agent checks the order of the runtime's requests: a range that
// is added twice, or changed or dropped where nothing was added, ends the run with status 3.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "libdsm/runtime/process_image.h"
#include "tests/runtime/solo_agent.h"
#include "tools/common/id_space.h"

namespace {

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = getenv("PATH");
  std::string rest = path != nullptr ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string candidate = rest.substr(0, colon) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return name;
}

pid_t start(int control, const char* runtime, char** program) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  personality(ADDR_NO_RANDOMIZE);
  fcntl(control, F_SETFD, 0);
  const std::string fd = std::to_string(control), path = find_program(program[0]);
  std::vector<char*> argv = {const_cast<char*>(runtime), const_cast<char*>("app"), const_cast<char*>(fd.c_str()),
                             const_cast<char*>(path.c_str())};
  for (; *program != nullptr; program++) argv.push_back(*program);
  argv.push_back(nullptr);
  execv(runtime, argv.data());
  perror(runtime);
  _exit(1);
}

struct Options {
  unsigned cpus = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
  bool stats = false, end_at_checkpoint = false;
  std::string keep, restore;
};

// Whoever is asked for an image gets the bytes of the file, and the pid that it needs.
pid_t read_image(const std::string& path, int* image) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  dsm::image::View view;
  if (const char* bad = dsm::image::check_process_image(bytes.data(), bytes.size(), &view)) {
    fprintf(stderr, "runtime_solo: %s: %s\n", path.c_str(), bad);
    exit(1);
  }
  *image = memfd_create("image", MFD_CLOEXEC);
  if (write(*image, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) exit(1);
  return view.process->pid;
}

pid_t restore(const dsm::tools::IdSpace& space, int control, const char* runtime, const std::string& folder) {
  int image = -1;
  const pid_t wanted = read_image(folder + "/process", &image);
  auto started = space.start(wanted, [&] {
    personality(ADDR_NO_RANDOMIZE);
    fcntl(control, F_SETFD, 0);
    fcntl(image, F_SETFD, 0);
    const std::string fd = std::to_string(control), image_fd = std::to_string(image);
    execl(runtime, runtime, "restore", fd.c_str(), image_fd.c_str(), nullptr);
    perror(runtime);
  });
  close(image);
  if (started) return *started;
  fprintf(stderr, "runtime_solo: %s\n", started.error().what.c_str());
  exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int next = 1;
  for (; next < argc && strncmp(argv[next], "--", 2) == 0; next++) {
    const std::string name = argv[next];
    if (name == "--stats") options.stats = true;
    if (name == "--end") options.end_at_checkpoint = true;
    if (name == "--cpus" && next + 1 < argc) options.cpus = static_cast<unsigned>(atoi(argv[++next]));
    if (name == "--keep" && next + 1 < argc) options.keep = argv[++next];
    if (name == "--restore" && next + 1 < argc) options.restore = argv[++next];
  }
  if (argc - next < (options.restore.empty() ? 2 : 1)) {
    fprintf(stderr, "usage: runtime_solo [--cpus N] [--stats] [--keep FOLDER [--end]] {RUNTIME PROGRAM ARG... | --restore FOLDER RUNTIME}\n");
    return 2;
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return 1;
  dsm::tools::IdSpace space;
  if (!options.restore.empty()) {
    auto made = dsm::tools::IdSpace::make();
    if (!made) {
      fprintf(stderr, "runtime_solo: %s\n", made.error().what.c_str());
      return 1;
    }
    space = std::move(*made);
  }
  const pid_t pid = space ? restore(space, pair[1], argv[next], options.restore) : start(pair[1], argv[next], argv + next + 1);
  close(pair[1]);
  const int child = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));

  dsm::tests::SoloAgent agent(pair[0], options.cpus);
  agent.keep_in(options.keep, options.end_at_checkpoint);
  agent.load_from(options.restore);
  for (;;) {
    pollfd wait[] = {{agent.closed() ? -1 : pair[0], POLLIN, 0}, {agent.userfault(), POLLIN, 0}, {child, POLLIN, 0}};
    if (poll(wait, 3, -1) < 0 && errno != EINTR) return 1;
    if ((wait[0].revents & (POLLIN | POLLHUP)) != 0) agent.on_control();
    if (options.end_at_checkpoint && agent.kept() > 0) kill(pid, SIGKILL);
    if ((wait[1].revents & POLLIN) != 0) agent.on_faults();
    if ((wait[2].revents & POLLIN) != 0) break;
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (space) {
    space.close();
    waitpid(space.keeper(), nullptr, 0);
  }
  if (options.stats) fprintf(stderr, "runtime_solo: %lu requests, %lu faults\n", agent.requests(), agent.faults());
  if (options.end_at_checkpoint && agent.kept() > 0) return 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
