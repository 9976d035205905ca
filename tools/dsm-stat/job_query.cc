// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-stat/job_query.h"

#include <poll.h>

#include <cerrno>

#include "tools/common/line_stream.h"
#include "tools/common/monotonic.h"
#include "tools/common/page_symbols.h"

namespace dsm::tools {
namespace {

constexpr TimeNs kPatience = 5 * kSecond;

}  // namespace

Result<nlohmann::json> query_job(const JobAddress& address) {
  auto fd = connect_to_job(address);
  if (!fd) return fd.error();
  LineStream stream(*fd);
  stream.send({{"cmd", "stat"}});
  const TimeNs deadline = monotonic_ns() + kPatience;
  for (TimeNs now; (now = monotonic_ns()) < deadline;) {
    pollfd wait{stream.fd(), POLLIN, 0};
    poll(&wait, 1, static_cast<int>((deadline - now) / 1000000 + 1));
    const bool open = stream.fill();
    if (const auto line = stream.next_line()) {
      auto job = nlohmann::json::parse(*line, nullptr, false);
      if (!job.is_object()) return Error{"job " + address.job + ": its launcher's answer is not JSON", EPROTO};
      name_pages(job);
      return job;
    }
    if (!open) return Error{"job " + address.job + ": its launcher closed the connection", ECONNRESET};
  }
  return Error{"job " + address.job + ": its launcher did not answer within 5 s", ETIMEDOUT};
}

}  // namespace dsm::tools
