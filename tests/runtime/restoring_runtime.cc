// SPDX-License-Identifier: Apache-2.0
// Stands where an installation has its dsm-runtime: a job that is started with it runs the program of a checkpoint that runtime_solo
// has kept, with real agents. Vessels get the real runtime. For the program it starts the real one as `restore`, with the image's pid (as root,
// in this PID namespace: the ids must be free), and stands between it and its agent: it hands every packet on, and puts the pages into the
// program's memory before the agent hears of it.
//
// The real runtime is beside it, with ".real" behind the name. Environment of the program: DSM_TEST_CHECKPOINT, the folder.
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "libdsm/runtime/process_image.h"
#include "tests/runtime/solo_agent.h"

namespace abi = dsm::abi;

namespace {

[[noreturn]] void give_up(const std::string& what) {
  perror(("restoring_runtime: " + what).c_str());
  exit(125);
}

std::string setting(const char* name) {
  const char* value = getenv(name);
  if (value == nullptr) give_up(std::string("needed: ") + name);
  return value;
}

pid_t read_image(const std::string& path, int* image) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  dsm::image::View view;
  if (const char* bad = dsm::image::check_process_image(bytes.data(), bytes.size(), &view)) give_up(bad);
  *image = memfd_create("image", 0);
  if (write(*image, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) give_up("write of the image");
  return view.process->pid;
}

pid_t fork_as(pid_t wanted) {
  clone_args args{};
  args.exit_signal = SIGCHLD;
  args.set_tid = reinterpret_cast<uintptr_t>(&wanted);
  args.set_tid_size = 1;
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
}

// One packet with its descriptors. False: the other side has ended.
bool hand_on(int from, int to, const std::string& pages) {
  abi::Packet packet{};
  char rights[CMSG_SPACE(4 * sizeof(int))];
  iovec vector = {&packet, sizeof packet};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = rights;
  message.msg_controllen = sizeof rights;
  if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) <= 0) return false;
  std::vector<int> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) fds.push_back(reinterpret_cast<int*>(CMSG_DATA(c))[i]);
  if (packet.op == abi::Op::kHello && fds.size() == 3) dsm::tests::load_pages(pages, fds[1]);
  if (fds.empty()) message.msg_control = nullptr;
  const bool sent = sendmsg(to, &message, MSG_NOSIGNAL) > 0;
  for (const int fd : fds) close(fd);
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string real = std::filesystem::read_symlink("/proc/self/exe").string() + ".real";
  if (argc < 3 || strcmp(argv[1], "app") != 0) {
    execv(real.c_str(), argv);
    give_up(real);
  }
  const std::string folder = setting("DSM_TEST_CHECKPOINT");
  char* rest = nullptr;
  const int agent = static_cast<int>(strtol(argv[2], &rest, 10));
  int pair[2], image = -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) give_up("socketpair");
  const pid_t wanted = read_image(folder + "/process", &image), child = fork_as(wanted);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(agent);
    close(pair[0]);
    const std::string fds = std::to_string(pair[1]) + rest, image_fd = std::to_string(image);
    execl(real.c_str(), real.c_str(), "restore", fds.c_str(), image_fd.c_str(), nullptr);
    give_up(real);
  }
  if (child < 0) give_up("cannot start a process as " + std::to_string(wanted));
  close(pair[1]);
  signal(SIGINT, SIG_IGN);
  for (bool open = true; open;) {
    pollfd wait[] = {{agent, POLLIN, 0}, {pair[0], POLLIN, 0}};
    if (poll(wait, 2, -1) < 0 && errno != EINTR) give_up("poll");
    if (wait[1].revents != 0) open = hand_on(pair[0], agent, folder + "/pages");
    if (open && wait[0].revents != 0) open = hand_on(agent, pair[0], {});
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
