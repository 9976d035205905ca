// SPDX-License-Identifier: Apache-2.0
// Stands where an installation has its dsm-runtime, so that a checkpoint that runtime_solo has kept is restored with real agents: started as
// `resume FD IMAGE` by restoring_launch, it becomes the real runtime, and leaves a child between that and its agent, which hands every packet
// on and puts the pages into the program's memory before the agent hears of it.
//
// Vessels get the real runtime, which is beside this one, with ".real" behind the name. Environment: DSM_TEST_CHECKPOINT, the folder.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

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

// One packet with its descriptors; at the first Hello the program's memory gets the pages. False: the other side has ended.
bool hand_on(int from, int to, std::string& pages) {
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
  if (packet.op == abi::Op::kHello && fds.size() == 3 && !pages.empty()) {
    dsm::tests::load_pages(pages, fds[1]);
    pages.clear();   // an execve begins with empty memory
  }
  if (fds.empty()) message.msg_control = nullptr;
  const bool sent = sendmsg(to, &message, MSG_NOSIGNAL) > 0;
  for (const int fd : fds) close(fd);
  return sent;
}


// Between the program's runtime at `program` and its agent, until one of them ends.
void stand_between(int program, int agent, const std::string& folder) {
  signal(SIGINT, SIG_IGN);
  std::string pages = folder + "/pages", none;
  for (bool open = true; open;) {
    pollfd wait[] = {{agent, POLLIN, 0}, {program, POLLIN, 0}};
    if (poll(wait, 2, -1) < 0 && errno != EINTR) give_up("poll");
    if (wait[1].revents != 0) open = hand_on(program, agent, pages);
    if (open && wait[0].revents != 0) open = hand_on(agent, program, none);
  }
}

// This process is the program's; the one that stands between is its child.
[[noreturn]] void restore_here(const std::string& real, int agent, const char* other_descriptors, const char* image, const std::string& folder) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) give_up("socketpair");
  const pid_t between = fork();
  if (between < 0) give_up("fork");
  if (between == 0) {
    close(pair[1]);
    stand_between(pair[0], agent, folder);
    _exit(0);
  }
  close(pair[0]);
  close(agent);
  const std::string fds = std::to_string(pair[1]) + other_descriptors;
  execl(real.c_str(), real.c_str(), "resume", fds.c_str(), image, nullptr);
  give_up(real);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string real = std::filesystem::read_symlink("/proc/self/exe").string() + ".real";
  if (argc != 4 || strcmp(argv[1], "resume") != 0) {
    execv(real.c_str(), argv);
    give_up(real);
  }
  const std::string folder = setting("DSM_TEST_CHECKPOINT");
  char* rest = nullptr;
  const int agent = static_cast<int>(strtol(argv[2], &rest, 10));
  restore_here(real, agent, rest, argv[3], folder);
}
