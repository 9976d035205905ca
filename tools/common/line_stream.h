// SPDX-License-Identifier: Apache-2.0
// JSON lines over a non-blocking stream descriptor: what the launcher speaks with agents and with dsm-stat.
//
// Threads: one owner. Ownership: the stream owns its descriptor.
// Invariants: 1. a line is at most kMaxLineBytes, a longer one closes the stream; 2. output is kept in order and
// nothing is dropped while the stream is open.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace dsm::tools {

class LineStream {
 public:
  static constexpr size_t kMaxLineBytes = 64u << 20;

  explicit LineStream(int fd = -1) : fd_(fd) {}
  ~LineStream();
  LineStream(LineStream&& other) noexcept;
  LineStream& operator=(LineStream&& other) noexcept;
  LineStream(const LineStream&) = delete;

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void close();

  // Reads what is there. False: the peer closed or sent something that cannot be a line; lines read before stay valid.
  bool fill();
  // The next complete line, without its newline.
  std::optional<std::string> next_line();
  // Queues one JSON value as a line and writes as much as the descriptor takes.
  void send(const nlohmann::json& value);
  // Writes what is queued. False: the peer is gone.
  bool flush();
  bool wants_write() const { return !out_.empty(); }

 private:
  int fd_;
  std::string in_, out_;
  size_t scanned_ = 0;
};

}  // namespace dsm::tools
