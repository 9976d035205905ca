// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/replay.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <deque>

#include "libdsm/base/check.h"
#include "tests/sim/world.h"

namespace dsm::sim {
namespace {

constexpr const char* kFailed = "FAILED ";

// The last lines of a text that comes in pieces, the most recent last.
class Tail {
 public:
  explicit Tail(size_t lines) : lines_(lines) {}
  void add(const char* text, size_t size) {
    for (size_t i = 0; i < size; ++i) {
      if (text[i] != '\n') {
        line_ += text[i];
        continue;
      }
      if (line_.starts_with(kFailed)) failure_ = line_.substr(std::strlen(kFailed));
      else kept_.push_back(line_);
      if (kept_.size() > lines_) kept_.pop_front();
      line_.clear();
    }
  }
  void print() const {
    for (const std::string& line : kept_) std::printf("  %s\n", line.c_str());
  }
  const std::optional<std::string>& failure() const { return failure_; }

 private:
  size_t lines_;
  std::deque<std::string> kept_;
  std::string line_;
  std::optional<std::string> failure_;
};

[[noreturn]] void run_in_child(const Scenario& scenario, int out, bool traced) {
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
  Trace trace = traced ? Trace(stdout) : Trace();
  World world(scenario, trace);
  world.run();
  if (world.failure()) std::printf("%s%s\n", kFailed, world.failure().what().c_str());
  std::fflush(stdout);
  _exit(0);
}

}  // namespace

std::optional<std::string> replay(const Scenario& scenario, size_t lines) {
  int ends[2];
  DSM_CHECK(pipe(ends) == 0);
  std::fflush(stdout);
  const pid_t pid = fork();
  DSM_CHECK(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    run_in_child(scenario, ends[1], lines > 0);
  }
  close(ends[1]);
  Tail tail(lines);
  char buffer[1 << 14];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) tail.add(buffer, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  tail.print();
  if (tail.failure()) return tail.failure();
  if (WIFSIGNALED(status)) return std::string("a check inside the protocol code: ") + strsignal(WTERMSIG(status));
  return std::nullopt;
}

Scenario minimise(Scenario scenario) {
  const auto fails_without = [&scenario](auto&& remove) {
    Scenario smaller = scenario;
    remove(smaller);
    if (!replay(smaller, 0)) return false;
    scenario = std::move(smaller);
    return true;
  };
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t i = scenario.disturbances.size(); i-- > 0;)
      progress |= fails_without([i](Scenario& s) { s.disturbances.erase(s.disturbances.begin() + static_cast<long>(i)); });
    for (size_t t = scenario.threads.size(); t-- > 0;) {
      progress |= fails_without([t](Scenario& s) { s.threads[t].script.clear(); }) && !scenario.threads[t].script.empty();
      for (size_t i = scenario.threads[t].script.size(); i-- > 0;)
        progress |= fails_without([t, i](Scenario& s) {
          auto& script = s.threads[t].script;
          script.erase(script.begin() + static_cast<long>(i));
        });
    }
  }
  return scenario;
}

}  // namespace dsm::sim
