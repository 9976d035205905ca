// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-stat/job_command.h"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "libdsm/base/ids.h"
#include "tools/common/job_socket.h"
#include "tools/common/line_stream.h"
#include "tools/common/monotonic.h"

namespace dsm::tools {
namespace {

using nlohmann::json;

constexpr int kFailed = 1;
// The launcher answers a move within 5 s, whatever the thread does.
constexpr TimeNs kMovePatience = 10 * kSecond;

int fail(const std::string& what) {
  fmt::print(stderr, "dsm-stat: {}\n", what);
  return kFailed;
}

std::optional<JobAddress> find_job(const std::string& name) {
  std::optional<JobAddress> of_others;
  for (const JobAddress& job : running_jobs()) {
    if (job.job != name) continue;
    if (job.uid == getuid() || getuid() == 0) return job;
    of_others = job;
  }
  return of_others;
}

// The next answer of the launcher; nothing at the deadline or when it has gone.
std::optional<json> next_answer(LineStream& stream, TimeNs deadline) {
  for (TimeNs now; (now = monotonic_ns()) < deadline;) {
    if (const auto line = stream.next_line()) {
      json answer = json::parse(*line, nullptr, false);
      if (answer.is_object()) return answer;
      return std::nullopt;
    }
    pollfd wait{stream.fd(), POLLIN, 0};
    poll(&wait, 1, static_cast<int>((deadline - now) / 1000000 + 1));
    if (!stream.fill() && !stream.open()) return std::nullopt;
    if (wait.revents & POLLHUP && !stream.fill()) stream.close();
    if (!stream.open()) return std::nullopt;
  }
  return std::nullopt;
}

json question_of(const StatOptions& options) {
  switch (options.command) {
    case StatOptions::Command::kMigrate: return {{"cmd", "move"}, {"tid", options.tid}, {"node", options.node}};
    case StatOptions::Command::kDrain: return {{"cmd", "drain"}, {"node", options.node}};
    default: return {{"cmd", "undrain"}, {"node", options.node}};
  }
}

std::string success_of(const StatOptions& options, double seconds) {
  switch (options.command) {
    case StatOptions::Command::kMigrate:
      return fmt::format("thread {} is on node {} ({:.3f} s)", options.tid, options.node, seconds);
    case StatOptions::Command::kDrain:
      return fmt::format("node {} is drained: it holds no thread and no page ({:.3f} s)", options.node, seconds);
    default: return fmt::format("node {} takes threads again", options.node);
  }
}

std::string timeout_of(const StatOptions& options, const json& last) {
  if (options.command != StatOptions::Command::kDrain)
    return fmt::format("job {}: its launcher did not answer within {} s", options.job, kMovePatience / kSecond);
  return fmt::format("node {} is not empty after {:g} s: it holds {} threads and {} pages; it goes on being drained", options.node,
                     options.timeout_s, last.value("threads", 0), last.value("pages", 0));
}

}  // namespace

int run_job_command(const StatOptions& options) {
  const auto job = find_job(options.job);
  if (!job) return fail(fmt::format("no running job {} (dsm-stat lists them)", options.job));
  auto fd = connect_to_job(*job);
  if (!fd) return fail(fd.error().what);
  LineStream stream(*fd);
  stream.send(question_of(options));
  const TimeNs begin = monotonic_ns();
  const bool waits = options.command == StatOptions::Command::kDrain;
  const TimeNs deadline = begin + (waits ? static_cast<TimeNs>(options.timeout_s * 1e9) : kMovePatience);
  json last = json::object();
  while (const auto answer = next_answer(stream, deadline)) {
    if (answer->contains("error")) return fail(fmt::format("job {}: {}", options.job, answer->value("error", "")));
    if (answer->contains("done")) {
      fmt::print("{}\n", success_of(options, static_cast<double>(monotonic_ns() - begin) / 1e9));
      return 0;
    }
    last = *answer;
  }
  if (monotonic_ns() < deadline) return fail(fmt::format("job {} ended, or its launcher closed the connection", options.job));
  return fail(timeout_of(options, last));
}

}  // namespace dsm::tools
