// SPDX-License-Identifier: Apache-2.0
// The first thing that went wrong in a schedule; later ones are consequences and are not kept.
#pragma once
#include <string>
#include <utility>

namespace dsm::sim {

class Failure {
 public:
  explicit operator bool() const { return failed_; }
  void report(std::string what) {
    if (failed_) return;
    failed_ = true;
    what_ = std::move(what);
  }
  const std::string& what() const { return what_; }

 private:
  bool failed_ = false;
  std::string what_;
};

}  // namespace dsm::sim
