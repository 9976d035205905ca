// SPDX-License-Identifier: Apache-2.0
// Log: lines for people on stderr, each with the name of who speaks. One object a process, made in main and handed down.
// A line is one write(2), so that lines of several processes do not mix. Whoever decides an error logs it; callers
// that only pass it up are silent.
#pragma once
#include <string>
#include <string_view>

namespace dsm {

class Log {
 public:
  explicit Log(std::string who, bool verbose = false) : who_(std::move(who)), verbose_(verbose) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void set_who(std::string who) { who_ = std::move(who); }
  void set_verbose(bool on) { verbose_ = on; }
  bool verbose() const { return verbose_; }

  void error(std::string_view text) const { write("", text); }
  void warn(std::string_view text) const { write("warning: ", text); }
  void info(std::string_view text) const {  // only with -v
    if (verbose_) write("", text);
  }

 private:
  void write(std::string_view prefix, std::string_view text) const;

  std::string who_;
  bool verbose_;
};

}  // namespace dsm
