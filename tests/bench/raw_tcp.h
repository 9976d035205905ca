// SPDX-License-Identifier: Apache-2.0
// The bare socket: the limit that the transport and the whole system are measured against. Both ends spin on
// non-blocking receives.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace dsm::bench {

uint64_t now_ns();
double median(std::vector<double> values);

// Runs `child` in a forked process, and kills it when this object ends.
class Child {
 public:
  // Beside a caller that is pinned to the first CPU it runs on the second, else anywhere.
  explicit Child(const std::function<void()>& child);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  int pid_;
};
void pin_to_first_cpu();

// A connected pair over loopback TCP with TCP_NODELAY.
struct SocketPair {
  int near, far;
};
SocketPair tcp_pair();

void receive_spinning(int fd, void* into, size_t bytes);
void send_all(int fd, const void* from, size_t bytes);

// Memory of a sparse memfd, fresh pages each time renew() is called.
class MemfdWindow {
 public:
  explicit MemfdWindow(size_t bytes);
  ~MemfdWindow();
  MemfdWindow(const MemfdWindow&) = delete;
  MemfdWindow& operator=(const MemfdWindow&) = delete;
  std::byte* data() const { return data_; }
  void renew();

 private:
  int fd_;
  size_t bytes_;
  std::byte* data_;
};

// Median round trip of `out` bytes there and `back` bytes back, in microseconds.
double raw_round_trip_us(size_t out, size_t back, int rounds);
// Bytes per second of `total` bytes into fresh memfd pages; with `read_once` each page is read when it is there.
double raw_stream_bytes_per_s(size_t total, bool read_once);

}  // namespace dsm::bench
