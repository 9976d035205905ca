// SPDX-License-Identifier: Apache-2.0
// Runs a program under the runtime on one node, with the smallest agent that keeps the contract of abi.h: everything stays
// native at the origin, so every program must behave as it does alone.
//
//   runtime_solo [--cpus N] [--stats] RUNTIME PROGRAM ARG...
//
// The exit status is the program's (128 + signal when it was killed). The agent checks the order of the runtime's requests: a range that
// is added twice, or changed or dropped where nothing was added, ends the run with status 3.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "libdsm/runtime/abi.h"

namespace abi = dsm::abi;

namespace {

constexpr int kExitContract = 3;

[[noreturn]] void contract_broken(const char* what, uint64_t start, uint64_t length) {
  fprintf(stderr, "runtime_solo: contract broken: %s %lx+%lx\n", what, start, length);
  _exit(kExitContract);
}

// Which addresses the runtime has added.
class Ranges {
 public:
  void add(uint64_t start, uint64_t end) {
    auto next = range_.lower_bound(start);
    if (next != range_.end() && next->first < end) contract_broken("added twice", start, end - start);
    if (next != range_.begin() && std::prev(next)->second > start) contract_broken("added twice", start, end - start);
    range_[start] = end;
  }
  void remove(uint64_t start, uint64_t end) {
    auto at = range_.lower_bound(start);
    if (at != range_.begin() && std::prev(at)->second > start) --at;
    while (at != range_.end() && at->first < end) {
      const auto [from, to] = *at;
      at = range_.erase(at);
      if (from < start) range_[from] = start;
      if (to > end) range_[end] = to;
    }
  }
  bool covers(uint64_t start, uint64_t end) const {
    while (start < end) {
      auto next = range_.upper_bound(start);
      if (next == range_.begin() || std::prev(next)->second <= start) return false;
      start = std::prev(next)->second;
    }
    return true;
  }
  void clear() { range_.clear(); }

 private:
  std::map<uint64_t, uint64_t> range_;
};

class SoloAgent {
 public:
  SoloAgent(int control, unsigned cpus) : control_(control), cpus_(cpus) {}

  void on_control() {
    abi::Packet packet = {};
    char rights[CMSG_SPACE(4 * sizeof(int))];
    iovec vector = {&packet, sizeof packet};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = rights;
    message.msg_controllen = sizeof rights;
    const ssize_t got = recvmsg(control_, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0) {
      closed_ = true;
      return;
    }
    std::vector<int> fds;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
      for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
        fds.push_back(reinterpret_cast<int*>(CMSG_DATA(c))[i]);
    requests_++;
    handle(packet, fds);
    for (int fd : fds) close(fd);
    if (send(control_, &packet, sizeof packet, MSG_NOSIGNAL) < 0) closed_ = true;
  }

  void on_faults() {
    uffd_msg event[16];
    const ssize_t got = read(userfault_, event, sizeof event);
    for (ssize_t i = 0; i < got / static_cast<ssize_t>(sizeof event[0]); i++) {
      const uint64_t page = event[i].arg.pagefault.address & ~(abi::kPageSize - 1);
      const uint64_t flags = event[i].arg.pagefault.flags;
      faults_++;
      if ((flags & UFFD_PAGEFAULT_FLAG_MINOR) != 0) {
        uffdio_continue request = {{page, abi::kPageSize}, 0, 0};
        if (ioctl(userfault_, UFFDIO_CONTINUE, &request) != 0 && errno == EEXIST) wake(page);
      } else if ((flags & UFFD_PAGEFAULT_FLAG_WP) != 0) {
        uffdio_writeprotect request = {{page, abi::kPageSize}, 0};
        ioctl(userfault_, UFFDIO_WRITEPROTECT, &request);
      } else {
        contract_broken("missing fault in a native block at", page, abi::kPageSize);
      }
    }
  }

  int userfault() const { return userfault_; }
  bool closed() const { return closed_; }
  unsigned long requests() const { return requests_; }
  unsigned long faults() const { return faults_; }

 private:
  void handle(abi::Packet& packet, std::vector<int>& fds) {
    switch (packet.op) {
      case abi::Op::kHello:
        if (fds.size() != 3 || packet.hello.version != abi::kVersion) contract_broken("hello", fds.size(), 0);
        userfault_ = fds[0];
        memory_ = fds[1];
        fds.erase(fds.begin(), fds.begin() + 2);
        packet.op = abi::Op::kWelcome;
        welcome(packet.welcome, packet.hello.pid);
        return;
      case abi::Op::kStats:
        packet.op = abi::Op::kReplyStats;
        packet.stats = {};
        packet.stats.read_faults = faults_;
        return;
      default:
        break;
    }
    const int64_t status = change(packet);
    packet.op = abi::Op::kReply;
    packet.reply.status = status;
  }

  void welcome(abi::Welcome& welcome, int pid) const {
    welcome = {};
    welcome.version = abi::kVersion;
    welcome.nodes = welcome.hosts = 1;
    welcome.total_cpus = cpus_;
    welcome.app_pid = pid;
    welcome.place = abi::kPlaceLocal;
    welcome.cpus_of_node[0] = cpus_;
  }

  int64_t change(const abi::Packet& packet) {
    const uint64_t start = packet.range.start, length = packet.range.length;
    switch (packet.op) {
      case abi::Op::kMapAdd: {
        ranges_.add(start, start + length);
        if (packet.map_add.kind != abi::MapKind::kPrivate) return 0;
        uffdio_register request = {{start, length}, UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP, 0};
        return ioctl(userfault_, UFFDIO_REGISTER, &request) == 0 ? 0 : -errno;
      }
      case abi::Op::kMapProtect:
        if (!ranges_.covers(start, start + length)) contract_broken("protected but not added", start, length);
        return 0;
      case abi::Op::kMapDrop:
        if (!ranges_.covers(start, start + length)) contract_broken("dropped but not added", start, length);
        return punch(start, length);
      case abi::Op::kMapRemove:
        ranges_.remove(start, start + length);
        return punch(start, length);
      case abi::Op::kExecBegin:
        ranges_.clear();
        close(userfault_);
        close(memory_);
        userfault_ = memory_ = -1;
        return 0;
      case abi::Op::kPinned:
        return punch(start, length);
      case abi::Op::kPin:
      case abi::Op::kFreeze:
      case abi::Op::kThaw:
        return 0;
      default:
        return -ENOSYS;
    }
  }

  int64_t punch(uint64_t start, uint64_t length) const {
    const auto offset = static_cast<off_t>(start), bytes = static_cast<off_t>(length);
    return fallocate(memory_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) == 0 ? 0 : -errno;
  }

  void wake(uint64_t page) const {
    uffdio_range range = {page, abi::kPageSize};
    ioctl(userfault_, UFFDIO_WAKE, &range);
  }

  int control_, userfault_ = -1, memory_ = -1;
  unsigned cpus_;
  bool closed_ = false;
  Ranges ranges_;
  unsigned long requests_ = 0, faults_ = 0;
};

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

}  // namespace

int main(int argc, char** argv) {
  unsigned cpus = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
  bool stats = false;
  int next = 1;
  for (; next < argc && strncmp(argv[next], "--", 2) == 0; next++) {
    if (strcmp(argv[next], "--stats") == 0) stats = true;
    if (strcmp(argv[next], "--cpus") == 0 && next + 1 < argc) cpus = static_cast<unsigned>(atoi(argv[++next]));
  }
  if (argc - next < 2) {
    fprintf(stderr, "usage: runtime_solo [--cpus N] [--stats] RUNTIME PROGRAM ARG...\n");
    return 2;
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return 1;
  const pid_t pid = start(pair[1], argv[next], argv + next + 1);
  close(pair[1]);
  const int child = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));

  SoloAgent agent(pair[0], cpus);
  for (;;) {
    pollfd wait[] = {{agent.closed() ? -1 : pair[0], POLLIN, 0}, {agent.userfault(), POLLIN, 0}, {child, POLLIN, 0}};
    if (poll(wait, 3, -1) < 0 && errno != EINTR) return 1;
    if ((wait[0].revents & (POLLIN | POLLHUP)) != 0) agent.on_control();
    if ((wait[1].revents & POLLIN) != 0) agent.on_faults();
    if ((wait[2].revents & POLLIN) != 0) break;
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (stats) fprintf(stderr, "runtime_solo: %lu requests, %lu faults\n", agent.requests(), agent.faults());
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
