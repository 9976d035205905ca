// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/agent_pair_job.h"

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libdsm/os/clock.h"
#include "libdsm/os/process.h"
#include "libdsm/os/seqpacket.h"
#include "libdsm/os/stream.h"
#include "tests/integration/agent_pair_runtime.h"

namespace agent_pair {

using nlohmann::json;
using namespace dsm;

namespace {

constexpr int kStartDeadlineMs = 5000;

std::string own_path() {
  char path[4096];
  ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  return std::string(path, static_cast<size_t>(n));
}

// -1: still running at the deadline.
int wait_exit(int pid, int deadline_ms) {
  os::Fd pidfd = os::open_pidfd(pid);
  pollfd wait{pidfd.get(), POLLIN, 0};
  if (::poll(&wait, 1, deadline_ms) <= 0) return -1;
  int status;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Job::Job(const JobOptions& options) : options_(options), agents_(options.agents ? options.agents : options.nodes) {}

transport::Secret Job::secret() {
  transport::Secret secret;
  secret.fill(std::byte{0xaa});
  return secret;
}

Job::~Job() {
  for (int pid : {application_}) {
    if (pid > 0) ::kill(pid, SIGKILL), wait_exit(pid, 1000);
  }
  for (Agent& agent : agents_) {
    if (agent.pid > 0) ::kill(agent.pid, SIGKILL), wait_exit(agent.pid, 1000);
  }
}

void Job::spawn_agent(unsigned node, int app_socket) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) give_up("socketpair");
  int parent = ::getpid();
  int pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::dup2(pair[1], 0);
    ::dup2(pair[1], 1);
    os::set_close_on_exec(app_socket, false);
    ::execl(options_.dsmd.c_str(), "dsmd", nullptr);
    give_up("cannot run " + options_.dsmd);
  }
  ::close(pair[1]);
  agents_[node].pid = pid;
  agents_[node].control.reset(pair[0]);
}

void Job::tell(unsigned node, const json& line) {
  std::string text = line.dump() + "\n";
  if (os::write_all(agents_[node].control.get(), std::as_bytes(std::span(text))) != 0) give_up("agent is gone");
}

json Job::expect(unsigned node, const std::string& event, int deadline_ms) {
  Agent& agent = agents_[node];
  TimeNs end = os::now_ns() + TimeNs(deadline_ms) * 1'000'000;
  for (;;) {
    for (size_t newline; (newline = agent.pending.find('\n')) != std::string::npos;) {
      json line = json::parse(agent.pending.substr(0, newline));
      agent.pending.erase(0, newline + 1);
      if (line["event"] == event) return line;
      if (line["event"] == "peer_lost") agent.lost.push_back(line["peer"]);
      if (options_.verbose || line["event"] == "failed") std::fprintf(stderr, "agent %u: %s\n", node, line.dump().c_str());
    }
    TimeNs now = os::now_ns();
    pollfd wait{agent.control.get(), POLLIN, 0};
    if (now >= end || ::poll(&wait, 1, static_cast<int>((end - now) / 1'000'000) + 1) <= 0) return nullptr;
    std::string chunk(65536, '\0');
    int n = os::read_some(agent.control.get(), std::as_writable_bytes(std::span(chunk)));
    if (n <= 0) return nullptr;
    agent.pending.append(chunk, 0, static_cast<size_t>(n));
  }
}

void Job::start(const std::function<int(int)>& application) {
  os::Fd app_end, agent_end;
  if (os::make_packet_pair(&app_end, &agent_end) != 0) give_up("socketpair");
  const std::string hex(64, 'a');  // secret()
  for (unsigned k = 0; k < agents_.size(); ++k) {
    spawn_agent(k, k == 0 ? agent_end.get() : -1);
    tell(k, {{"cmd", "configure"}, {"job", kName}, {"node", k}, {"nodes", options_.nodes}, {"secret", hex},
             {"runtime", own_path()}, {"bind", "127.0.0.1"}, {"place", "rr"}, {"lease", options_.lease},
             {"poll", options_.poll}, {"hold_us", 20}, {"verbose", options_.verbose}, {"heartbeat_ms", options_.heartbeat_ms},
             {"encrypt", options_.encrypt},
             {"app_fd", k == 0 ? agent_end.get() : -1}});
  }
  application_ = ::fork();
  if (application_ == 0) {
    for (Agent& agent : agents_) agent.control.reset();
    agent_end.reset();
    ::_exit(application(app_end.get()));
  }
  json peers = json::array(), cpus = json::array();
  std::vector<transport::Endpoint> at;
  for (unsigned k = 0; k < agents_.size(); ++k) {
    json line = expect(k, "listening", kStartDeadlineMs);
    if (line.is_null()) give_up("agent does not listen");
    peers.push_back({{"node", k}, {"addr", line["addr"]}, {"port", line["port"]}});
    cpus.push_back(line["cpus"]);
    at.push_back({line["addr"], line["port"], ""});
  }
  for (unsigned k = static_cast<unsigned>(agents_.size()); k < options_.nodes; ++k) {
    peers.push_back({{"node", k}, {"addr", "127.0.0.2"}, {"port", 1}});
    cpus.push_back(1);
  }
  if (options_.hold_link_ms > 0) slow_link_ = std::make_unique<SlowLink>(at[1].port, options_.hold_link_ms);
  for (unsigned k = 0; k < agents_.size(); ++k) {
    json known = peers;
    if (slow_link_ && k + 1 == agents_.size()) known[1]["port"] = slow_link_->port();
    tell(k, {{"cmd", "peers"}, {"peers", known}, {"cpus", cpus}, {"app_pid", application_}});
  }
  if (before_ready) before_ready(at);
  for (unsigned k = 0; k < agents_.size(); ++k)
    if (expect(k, "ready", kStartDeadlineMs).is_null()) give_up("agent does not become ready");
}

int Job::wait_application(int deadline_ms) {
  int status = wait_exit(application_, deadline_ms);
  if (status >= 0) application_ = 0;
  return status;
}

json Job::stats(unsigned node) {
  tell(node, {{"cmd", "stats"}, {"id", 1}});
  return expect(node, "stats", kStartDeadlineMs);
}

size_t Job::losses(unsigned node, unsigned peer) {
  return static_cast<size_t>(std::count(agents_[node].lost.begin(), agents_[node].lost.end(), peer));
}

bool Job::shut_down() {
  bool good = true;
  for (unsigned k = 0; k < agents_.size(); ++k) tell(k, {{"cmd", "shutdown"}});
  for (unsigned k = 0; k < agents_.size(); ++k) {
    good &= !expect(k, "bye", 2000).is_null();
    int status = wait_exit(agents_[k].pid, 2000);
    if (status >= 0) agents_[k].pid = 0;
    good &= status == 0;
  }
  return good;
}

}  // namespace agent_pair
