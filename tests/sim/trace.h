// SPDX-License-Identifier: Apache-2.0
// The steps of a schedule in words, as they happen. Off (and free) unless a run is repeated to be read.
#pragma once
#include <cstdio>
#include <string>

namespace dsm::sim {

class Trace {
 public:
  Trace() = default;
  explicit Trace(std::FILE* out) : out_(out) {}
  bool on() const { return out_ != nullptr; }
  // Called with a function that makes the line, so that a run without a trace makes none.
  template <class F>
  void add(F&& line) {
    if (on()) std::fprintf(out_, "%s\n", std::string(line()).c_str());
  }

 private:
  std::FILE* out_ = nullptr;
};

}  // namespace dsm::sim
