// SPDX-License-Identifier: Apache-2.0
// What this machine can do without dsm, as one JSON object: the limits that the bench measures against.
//   fault_floor_us   one userfaultfd fault served from another process by one TCP round trip that carries a page;
//                    everybody who waits spins, except the faulting thread
//   round_trip_us    64 bytes there and back, both ends spinning
//   stream_bytes_s   256 MiB over one TCP connection into fresh memfd pages, read once
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/os/memfd.h"
#include "libdsm/os/seqpacket.h"
#include "libdsm/os/uffd.h"
#include "tests/bench/raw_tcp.h"

namespace dsm::bench {
namespace {

constexpr size_t kFaults = 4000;
constexpr size_t kMessageBytes = 72;                // 64 and what frames it
constexpr size_t kReplyBytes = 48 + kPageBytes;
constexpr size_t kStreamBytes = 256u << 20;
constexpr int kRoundTrips = 10000;

[[noreturn]] void die(const char* what, int error) {
  errno = error;
  std::perror(what);
  std::exit(1);
}

std::byte* map(const os::Memfd& memory, size_t bytes) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd(), 0);
  if (at == MAP_FAILED) die("mmap", errno);
  return static_cast<std::byte*>(at);
}

// The faulting process: passes its userfaultfd to the handler, then touches page after page.
void fault_away(const os::Memfd& memory, int handler, double* times_us) {
  uint64_t features = 0;
  int error = 0;
  os::Uffd uffd(os::open_own_uffd(&features, &error), true);
  if (!uffd.valid()) die("userfaultfd", error);
  const std::byte* pages = map(memory, kFaults * kPageBytes);
  const auto start = reinterpret_cast<uint64_t>(pages);
  if (int failed = uffd.register_range(start, kFaults * kPageBytes, os::Uffd::Mode::kTracked)) die("register", -failed);
  const int fds[] = {uffd.fd()};
  if (int failed = os::send_packet(handler, std::as_bytes(std::span(&start, 1)), fds)) die("send", -failed);
  std::byte go[1];
  if (os::receive_packet(handler, go, nullptr) != 1) ::_exit(1);
  for (size_t i = 0; i < kFaults; ++i) {
    const uint64_t begin = now_ns();
    static_cast<void>(*const_cast<const volatile std::byte*>(&pages[i * kPageBytes]));
    times_us[i] = static_cast<double>(now_ns() - begin) / 1000;
  }
  const std::byte done[1] = {};
  os::send_packet(handler, done);
}

void serve_faults(const os::Memfd& memory, int faulter, int server) {
  uint64_t start = 0;
  std::vector<os::Fd> fds;
  if (os::receive_packet(faulter, std::as_writable_bytes(std::span(&start, 1)), &fds) != sizeof start || fds.empty())
    die("no userfaultfd came", EPROTO);
  os::Uffd uffd(std::move(fds[0]), true);
  os::set_nonblocking(uffd.fd(), true);
  std::byte* window = map(memory, kFaults * kPageBytes);
  const std::byte go[1] = {};
  if (int failed = os::send_packet(faulter, go)) die("send", -failed);
  std::vector<std::byte> request(kMessageBytes), head(kReplyBytes - kPageBytes);
  for (size_t served = 0; served < kFaults;) {
    os::FaultEvent event;
    const int n = uffd.read_events({&event, 1});
    if (n < 0) die("read of the userfaultfd", -n);
    if (n == 0) continue;
    const uint64_t page = event.address / kPageBytes * kPageBytes;
    send_all(server, request.data(), request.size());
    receive_spinning(server, head.data(), head.size());
    receive_spinning(server, window + (page - start), kPageBytes);
    uint64_t mapped = 0;
    if (int failed = uffd.map(page, kPageBytes, true, &mapped)) die("UFFDIO_CONTINUE", -failed);
    ++served;
  }
  std::byte done[1];
  os::receive_packet(faulter, done, nullptr);
}

double fault_floor_us() {
  os::Memfd memory = os::Memfd::create("floor", kFaults * kPageBytes);
  if (!memory.valid()) die("memfd", errno);
  void* shared = ::mmap(nullptr, kFaults * sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* times_us = static_cast<double*>(shared);
  const SocketPair tcp = tcp_pair();
  Child page_server([&] {
    std::vector<char> request(kMessageBytes), reply(kReplyBytes, 'p');
    for (;;) {
      receive_spinning(tcp.far, request.data(), request.size());
      send_all(tcp.far, reply.data(), reply.size());
    }
  });
  os::Fd handler_end, faulter_end;
  if (int failed = os::make_packet_pair(&handler_end, &faulter_end)) die("socketpair", -failed);
  Child faulter([&] { fault_away(memory, faulter_end.get(), times_us); });
  serve_faults(memory, handler_end.get(), tcp.near);
  return median(std::vector<double>(times_us, times_us + kFaults));
}

int run() {
  std::printf("{\"fault_floor_us\":%.3f,", fault_floor_us());
  std::printf("\"round_trip_us\":%.3f,", raw_round_trip_us(kMessageBytes, kMessageBytes, kRoundTrips));
  std::printf("\"stream_bytes_s\":%.0f}\n", raw_stream_bytes_per_s(kStreamBytes, true));
  return 0;
}

}  // namespace
}  // namespace dsm::bench

int main() { return dsm::bench::run(); }
