// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/raw_tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace dsm::bench {
namespace {

constexpr size_t kRunBytes = 256 << 10;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof set, &set);  // best effort: with one CPU the figures are bad anyway
}

bool pinned_to_first() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set);
}

}  // namespace

uint64_t now_ns() {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Child::Child(const std::function<void()>& child) {
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) die("fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (pinned_to_first()) pin(1);
  child();
  ::_exit(0);
}

Child::~Child() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void pin_to_first_cpu() { pin(0); }

SocketPair tcp_pair() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&at), length) || ::listen(listener, 1) ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &length))
    die("listen");
  SocketPair pair{};
  pair.near = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(pair.near, reinterpret_cast<sockaddr*>(&at), length)) die("connect");
  pair.far = ::accept(listener, nullptr, nullptr);
  if (pair.far < 0) die("accept");
  ::close(listener);
  const int on = 1;
  for (int fd : {pair.near, pair.far}) {
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);  // as the transport: the stronger limit
  }
  return pair;
}

void receive_spinning(int fd, void* into, size_t bytes) {
  for (char* at = static_cast<char*>(into); bytes > 0;) {
    const ssize_t n = ::recv(fd, at, bytes, MSG_DONTWAIT);
    if (n > 0) {
      at += n;
      bytes -= static_cast<size_t>(n);
    } else if (n == 0 || errno != EAGAIN) {
      ::_exit(0);  // the other end is done
    }
  }
}

void send_all(int fd, const void* from, size_t bytes) {
  for (const char* at = static_cast<const char*>(from); bytes > 0;) {
    const ssize_t n = ::send(fd, at, bytes, MSG_NOSIGNAL);
    if (n <= 0) ::_exit(0);
    at += n;
    bytes -= static_cast<size_t>(n);
  }
}

MemfdWindow::MemfdWindow(size_t bytes) : fd_(::memfd_create("bench", MFD_CLOEXEC)), bytes_(bytes) {
  if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>(bytes))) die("memfd");
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (at == MAP_FAILED) die("mmap");
  data_ = static_cast<std::byte*>(at);
}

MemfdWindow::~MemfdWindow() {
  ::munmap(data_, bytes_);
  ::close(fd_);
}

void MemfdWindow::renew() {
  if (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes_))) die("punch");
}

double raw_round_trip_us(size_t out, size_t back, int rounds) {
  const SocketPair pair = tcp_pair();
  Child echo([&] {
    ::close(pair.near);
    std::vector<char> request(out), reply(back, 'r');
    for (;;) {
      receive_spinning(pair.far, request.data(), out);
      send_all(pair.far, reply.data(), back);
    }
  });
  ::close(pair.far);
  std::vector<char> request(out, 'q'), reply(back);
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const uint64_t begin = now_ns();
    send_all(pair.near, request.data(), out);
    receive_spinning(pair.near, reply.data(), back);
    times.push_back(static_cast<double>(now_ns() - begin) / 1000);
  }
  ::close(pair.near);
  return median(std::move(times));
}

double raw_stream_bytes_per_s(size_t total, bool read_once) {
  const SocketPair pair = tcp_pair();
  Child source([&] {
    ::close(pair.near);
    std::vector<char> run(kRunBytes, 's');
    char go;
    receive_spinning(pair.far, &go, 1);
    for (size_t left = total; left > 0; left -= std::min(left, kRunBytes)) send_all(pair.far, run.data(), std::min(left, kRunBytes));
    receive_spinning(pair.far, &go, 1);
  });
  ::close(pair.far);
  MemfdWindow window(total);
  uint64_t sum = 0;
  const uint64_t begin = now_ns();
  send_all(pair.near, "g", 1);
  for (size_t at = 0; at < total; at += kRunBytes) {
    const size_t n = std::min(kRunBytes, total - at);
    receive_spinning(pair.near, window.data() + at, n);
    if (!read_once) continue;
    for (size_t i = 0; i < n; i += sizeof(uint64_t)) sum += *reinterpret_cast<const uint64_t*>(window.data() + at + i);
  }
  const double seconds = static_cast<double>(now_ns() - begin) * 1e-9;
  asm volatile("" : : "r"(sum));
  ::close(pair.near);
  return static_cast<double>(total) / seconds;
}

}  // namespace dsm::bench
