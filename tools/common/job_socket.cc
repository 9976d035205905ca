// SPDX-License-Identifier: Apache-2.0
#include "tools/common/job_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <optional>

namespace dsm::tools {
namespace {

constexpr std::string_view kPrefix = "@dsm/";

struct Name {
  sockaddr_un address{};
  socklen_t length = 0;
};

std::optional<Name> socket_name(const JobAddress& job) {
  const std::string text = "dsm/" + std::to_string(job.uid) + "/" + job.job;
  Name name;
  name.address.sun_family = AF_UNIX;
  if (text.size() + 1 > sizeof name.address.sun_path) return std::nullopt;
  std::memcpy(name.address.sun_path + 1, text.data(), text.size());
  name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return name;
}

std::optional<JobAddress> parse_name(std::string_view path) {
  if (!path.starts_with(kPrefix)) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  JobAddress job{};
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), job.uid);
  if (error != std::errc{} || end == path.data() + path.size() || *end != '/') return std::nullopt;
  job.job.assign(end + 1, path.data() + path.size());
  if (job.job.empty()) return std::nullopt;
  return job;
}

}  // namespace

Result<int> listen_for_job(const std::string& job) {
  const auto name = socket_name({getuid(), job});
  if (!name) return Error{"job name too long: " + job, ENAMETOOLONG};
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return system_error("socket for dsm-stat", errno);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&name->address), name->length) || listen(fd, 16)) {
    const int code = errno;
    close(fd);
    return system_error("bind socket for dsm-stat of job " + job, code);
  }
  return fd;
}

int accept_client(int listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && errno == EINTR) continue;
    if (fd < 0) return -1;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == getuid() || peer.uid == 0)) return fd;
    close(fd);
  }
}

std::vector<JobAddress> running_jobs() {
  std::vector<JobAddress> jobs;
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);) {
    const size_t at = line.find(kPrefix);
    if (at == std::string::npos) continue;
    const auto job = parse_name(std::string_view(line).substr(at));
    // Each connection of the listener shows the same name again.
    const auto same = [&](const JobAddress& other) { return other.uid == job->uid && other.job == job->job; };
    if (job && std::none_of(jobs.begin(), jobs.end(), same)) jobs.push_back(*job);
  }
  std::sort(jobs.begin(), jobs.end(), [](const JobAddress& a, const JobAddress& b) { return a.job < b.job; });
  return jobs;
}

Result<int> connect_to_job(const JobAddress& address) {
  const auto name = socket_name(address);
  if (!name) return Error{"job name too long: " + address.job, ENAMETOOLONG};
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return system_error("socket", errno);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&name->address), name->length)) {
    const int code = errno;
    close(fd);
    return system_error("job " + address.job + ": cannot reach its launcher", code);
  }
  return fd;
}

}  // namespace dsm::tools
