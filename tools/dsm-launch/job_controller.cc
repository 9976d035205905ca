// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/job_controller.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "libdsm/os/process.h"
#include "tools/common/complain.h"
#include "tools/common/exit_codes.h"
#include "tools/common/job_socket.h"
#include "tools/common/monotonic.h"
#include "tools/dsm-launch/child_process.h"
#include "tools/dsm-launch/job_environment.h"

namespace dsm::tools {
namespace {

using nlohmann::json;

constexpr TimeNs kListenPatience = 10 * kSecond;
constexpr TimeNs kMeshPatience = 20 * kSecond;
constexpr TimeNs kLeavePatience = 2 * kSecond;
constexpr TimeNs kStatPatience = 2 * kSecond;
// A peer reports a lost connection a moment before the dead agent itself is reaped; the reaped status says more.
constexpr TimeNs kSuspicionPatience = kSecond / 5;
constexpr TimeNs kRemoteSuspicionPatience = kSecond;   // ssh's own end comes later
constexpr TimeNs kFailurePatience = kSecond / 2;

std::string random_hex(size_t bytes) {
  std::string hex;
  std::vector<unsigned char> raw(bytes);
  if (getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) return hex;
  for (const auto byte : raw) hex += fmt::format("{:02x}", byte);
  return hex;
}

// Somebody who pressed Ctrl-C or closed the pipe knows; every other signal is said, as a shell does.
bool worth_a_line(int wait_status) {
  return WIFSIGNALED(wait_status) && WTERMSIG(wait_status) != SIGINT && WTERMSIG(wait_status) != SIGPIPE;
}

}  // namespace

JobController::JobController(const LaunchOptions& options, const Installation& installation, const Program& program,
                             const std::vector<NodeHost>& hosts)
    : options_(options), installation_(installation), program_(program), job_(std::to_string(getpid())), hosts_(hosts),
      commands_(options.nodes, [this](int node, const json& line) { agents_[static_cast<size_t>(node)].control.send(line); }) {
  prepare_agents(hosts);
}

JobController::JobController(const LaunchOptions& options, const Installation& installation, const Program& program,
                             const std::vector<NodeHost>& hosts, JoinedProgram joined)
    : JobController(options, installation, program, hosts) {
  joined_ = std::move(joined);
}

JobController::~JobController() {
  for (const int fd : {app_socket_[0], app_socket_[1], listener_})
    if (fd >= 0) close(fd);
}

int JobController::run() {
  if (const Status started = start(); !started) fail(started.error().what);
  loop();
  write_reports();
  if (failed_) return kExitOurs;
  const int status = app_status_.value_or(0);
  return WIFSIGNALED(status) ? kExitSignalBase + WTERMSIG(status) : WEXITSTATUS(status);
}

// ---- start -------------------------------------------------------------------------------------------------------

Status JobController::start() {
  enter(Phase::kListening);
  secret_hex_ = random_hex(32);
  if (secret_hex_.empty()) return Error{"cannot draw the job's secret: getrandom failed", errno};
  if (const Status s = signals_.open(); !s) return s;
  auto listener = listen_for_job(job_);
  if (!listener) return listener.error();
  listener_ = *listener;
  if (joined_) {
    app_pid_ = joined_->pid;
    app_socket_[0] = joined_->control.release();
  } else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, app_socket_)) {
    return system_error("socketpair", errno);
  }
  if (!joined_ && options_.children != "native")
    if (const Status s = join_port_.open(); !s) return s;
  if (const Status s = make_id_space(); !s) return s;
  if (const Status s = start_agents_in_turn(); !s) return s;
  if (!joined_) return start_program();
  close(std::exchange(app_socket_[0], -1));   // agent 0 has it
  return success();
}

Status JobController::start_program() {
  AppCommand command{installation_.runtime, app_socket_[1], join_port_.inherited_fd(), program_.file, options_.command,
                     job_environment(), signals_.original_mask()};
  if (!options_.argv0.empty()) command.arguments[0] = options_.argv0;
  auto pid = restored_ ? start_restored_app(command, id_space_, restored_->pid, restored_->image.get(), restored_->resumes_output) : start_app(command);
  if (!pid) return pid.error();
  app_pid_ = *pid;
  for (int& fd : app_socket_) close(std::exchange(fd, -1));
  join_port_.close_inherited();
  return success();
}

// ---- the loop ----------------------------------------------------------------------------------------------------

void JobController::loop() {
  while (phase_ != Phase::kLeaving || !all_agents_reached(AgentState::kGone) || (!children_.empty() && !failed_)) {
    std::vector<pollfd> fds = {{signals_.fd(), POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& agent : agents_)
      fds.push_back({agent.control.fd(), static_cast<short>(POLLIN | (agent.control.wants_write() ? POLLOUT : 0)), 0});
    for (const auto& agent : agents_) fds.push_back({agent.errors.fd(), POLLIN, 0});
    if (joined_) fds.insert(fds.end(), {{app_status_ ? -1 : joined_->process.get(), POLLIN, 0}, {joined_->launcher.fd(), POLLIN, 0}});
    if (phase_ == Phase::kRunning) fds.push_back({join_port_.fd(), POLLIN, 0});
    for (const auto& child : children_) fds.push_back({child.stream.fd(), POLLIN, 0});
    for (const auto& client : clients_)
      fds.push_back({client.fd(), static_cast<short>(POLLIN | (client.wants_write() ? POLLOUT : 0)), 0});
    if (poll(fds.data(), fds.size(), poll_timeout_ms()) < 0 && errno != EINTR) break;
    // The order matters: what an agent says before it dies is read before it is reaped, and the agents that
    // died are seen before the program that died of it.
    for (auto& agent : agents_) handle_agent_input(agent);
    handle_signals();
    if (joined_) watch_joined_program();
    if (join_port_.is_open()) take_join_requests();
    handle_clients();
    check_deadlines();
  }
  kill_everything();
}

bool JobController::waits_for_children_only() const { return phase_ == Phase::kLeaving && all_agents_reached(AgentState::kGone); }

int JobController::poll_timeout_ms() const {
  TimeNs next = waits_for_children_only() ? monotonic_ns() + kSecond : phase_deadline_;
  if (suspicion_) next = std::min(next, suspicion_->decide_at);
  if (collect_at_) next = std::min(next, *collect_at_);
  for (const auto& [id, query] : queries_) next = std::min(next, query.deadline());
  const TimeNs now = monotonic_ns();
  if (next <= now) return 0;
  return static_cast<int>(std::min<TimeNs>((next - now) / 1000000 + 1, 60000));
}

void JobController::handle_agent_input(AgentHandle& agent) {
  agent.errors.read_available();
  if (!agent.control.open()) return;
  const bool alive = agent.control.fill();
  while (auto line = agent.control.next_line()) handle_agent_line(agent, *line);
  if (!alive || !agent.control.flush()) agent.control.close();   // its exit is judged when it is reaped
}

void JobController::handle_agent_line(AgentHandle& agent, const std::string& line) {
  const json event = json::parse(line, nullptr, false);
  if (!event.is_object()) {
    // A login script that greets everybody speaks before the agent does.
    if (agent.where.remote && agent.state < AgentState::kListening) return;
    return fail(fmt::format("{}: its agent sent a line that is not JSON", name_of(agent)));
  }
  const std::string what = event.value("event", "");
  if (what == "listening") {
    agent_listens(agent, event);
    if (phase_ == Phase::kListening && all_agents_reached(AgentState::kListening)) send_peers();
  } else if (what == "ready") {
    agent.runtime_pid = event.value("app_pid", 0);
    set_agent_state(agent, AgentState::kReady);
    if (phase_ == Phase::kMeshing && all_agents_reached(AgentState::kReady)) enter(Phase::kRunning);
  } else if (what == "stats") {
    const auto query = queries_.find(event.value("id", 0));
    if (query != queries_.end()) query->second.add(agent.node, event);
  } else if (what == "failed") {
    suspect_peer(agent.node, event.value("what", "failed"));
  } else if (what == "peer_lost") {
    suspect_peer(event.value("peer", 0), event.value("what", "connection lost"));
  } else if (commands_.take_event(event)) {
    return;
  } else if (what == "log" && options_.verbose) {
    complain("dsm-launch: {}: {}\n", name_of(agent), event.value("text", ""));
  }
}

void JobController::handle_clients() {
  for (int fd; (fd = accept_client(listener_)) >= 0;) clients_.emplace_back(fd);
  for (auto client = clients_.begin(); client != clients_.end();) {
    bool alive = client->fill() && client->flush();
    while (alive) {
      const auto line = client->next_line();
      if (!line) break;
      answer_client(*client, *line);
    }
    if (!alive) commands_.forget(*client);
    // A query refers to its client's stream: keep a client that left until its query is answered.
    if (!alive && queries_.empty()) client = clients_.erase(client);
    else ++client;
  }
}

void JobController::answer_client(LineStream& client, const std::string& line) {
  const json question = json::parse(line, nullptr, false);
  if (JobCommands::name_of(question) != "stat") {
    if (phase_ != Phase::kRunning) client.send({{"error", "the job is not running (any more)"}});
    else if (!commands_.ask(client, question)) client.send({{"error", "this launcher does not know that command"}});
    return;
  }
  query_stats([stream = &client](const json& job) { stream->send(job); }, kStatPatience);
}

void JobController::handle_signals() {
  while (const auto taken = signals_.take(app_status_ ? 0 : app_pid_)) {
    if (taken->event == SignalRelay::Event::kNoReceiver && taken->signal != SIGWINCH && taken->signal != SIGCONT && !app_status_)
      fail(fmt::format("ended by signal {} before the program started", taken->signal));
    if (taken->event == SignalRelay::Event::kNoReceiver && app_status_) signal_children(taken->signal);
  }
  reap();
}

void JobController::reap() {
  // Agents first: a program that died because its agent died must not be taken for the cause.
  for (auto& agent : agents_) {
    int status;
    if (agent.state != AgentState::kGone && agent.pid > 0 && waitpid(agent.pid, &status, WNOHANG) == agent.pid)
      agent_exited(agent, status);
  }
  // A process that is not waited for yet still has its clock; afterwards nobody knows what the origin's threads used.
  siginfo_t ended{};
  if (app_pid_ && !joined_ && !app_status_ && !waitid(P_PID, static_cast<id_t>(app_pid_), &ended, WEXITED | WNOHANG | WNOWAIT) &&
      ended.si_pid)
    app_cpu_ns_ = os::process_cpu_ns(app_pid_);
  handle_children();
  int status;
  while (app_pid_ && !joined_ && !app_status_ && waitpid(app_pid_, &status, WNOHANG | WUNTRACED | WCONTINUED) == app_pid_)
    program_changed(status);
}

void JobController::agent_exited(AgentHandle& agent, int wait_status) {
  const bool expected = agent.state == AgentState::kLeaving;
  agent.wait_status = wait_status;
  handle_agent_input(agent);
  set_agent_state(agent, AgentState::kGone);
  agent.control.close();
  for (auto& [id, query] : queries_) query.lost(agent.node);
  if (expected) return;
  // What it said before it gave up says more than its status.
  const bool explained = suspicion_ && suspicion_->node == agent.node && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kExitOurs;
  fail(fmt::format("{}: {}", name_of(agent), explained ? suspicion_->what : end_of(agent, wait_status)));
}

void JobController::program_changed(int wait_status) {
  if (WIFSTOPPED(wait_status)) {
    tell_all("pause");
    return signals_.stop_with(app_pid_, WSTOPSIG(wait_status));   // so that the shell sees the job stopped
  }
  if (WIFCONTINUED(wait_status)) return tell_all("resume");
  app_status_ = wait_status;
  if (failed_) return;
  lost_node_ = phase_ == Phase::kRunning && WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;
  if (worth_a_line(wait_status))
    complain("dsm-launch: {}: the program (pid {}) {}\n", name_of(agents_[0]), app_pid_, describe_exit(wait_status));
  // Our status: its runtime may have noticed before us that a node is lost, which decides what comes next.
  const bool perhaps_ours = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kExitOurs;
  if (perhaps_ours && !checkpoints_.dir.empty()) collect_at_ = monotonic_ns() + 2 * kSuspicionPatience;
  else collect_final_report();
}

void JobController::tell_all(const char* command) {
  for (auto& agent : agents_)
    if (agent.state == AgentState::kReady) agent.control.send({{"cmd", command}});
}

void JobController::check_deadlines() {
  const TimeNs now = monotonic_ns();
  for (auto query = queries_.begin(); query != queries_.end();) {
    if (!query->second.complete(now)) { ++query; continue; }
    StatsQuery done = std::move(query->second);
    query = queries_.erase(query);
    done.finish();
  }
  if (collect_at_ && now >= *collect_at_) {
    collect_at_.reset();
    if (!failed_ && phase_ == Phase::kRunning) collect_final_report();
  }
  if (suspicion_ && now >= suspicion_->decide_at) {
    const Suspicion s = *suspicion_;
    if (!failed_ && (!app_status_ || collect_at_)) fail(fmt::format("{}: {}", name_of(agents_[static_cast<size_t>(s.node)]), s.what));
    suspicion_.reset();
  }
  if (now < phase_deadline_ || waits_for_children_only()) return;
  if (phase_ == Phase::kLeaving) kill_everything();
  else if (phase_ == Phase::kCollecting) leave();
  else if (phase_ != Phase::kRunning) fail("timed out while waiting for " + waiting_for());
}

// ---- transitions -------------------------------------------------------------------------------------------------

void JobController::set_agent_state(AgentHandle& agent, AgentState state) {
  if (state > agent.state) agent.state = state;
}

bool JobController::all_agents_reached(AgentState state) const {
  return std::all_of(agents_.begin(), agents_.end(), [&](const AgentHandle& a) { return a.state >= state || (!a.pid && state == AgentState::kGone); });
}

void JobController::enter(Phase phase) {
  phase_ = phase;
  const TimeNs patience = phase == Phase::kListening    ? kListenPatience
                          : phase == Phase::kMeshing    ? kMeshPatience
                          : phase == Phase::kCollecting ? kReportPatience
                          : phase == Phase::kLeaving    ? (failed_ ? kFailurePatience : kLeavePatience)
                                                        : 1000000 * kSecond;
  phase_deadline_ = monotonic_ns() + patience;
}

void JobController::send_peers() {
  enter(Phase::kMeshing);
  json peers = json::array(), cpus = json::array();
  for (const auto& agent : agents_) {
    peers.push_back({{"node", agent.node}, {"addr", agent.address}, {"port", agent.port}, {"host", agent.host}});
    cpus.push_back(agent.cpus);
  }
  for (auto& agent : agents_)
    agent.control.send({{"cmd", "peers"}, {"peers", peers}, {"cpus", cpus}, {"app_pid", restored_ ? restored_->pid : app_pid_}, {"clock", uses_origin_clock() ? "origin" : "local"}});
}

void JobController::suspect_peer(int node, const std::string& what) {
  if (suspicion_ || failed_ || phase_ >= Phase::kCollecting || !agent(node)) return;
  suspicion_ = Suspicion{node, what, monotonic_ns() + (agent(node)->where.remote ? kRemoteSuspicionPatience : kSuspicionPatience)};
}

void JobController::fail(const std::string& what) {
  if (std::exchange(failed_, true)) return;
  lost_node_ = phase_ == Phase::kRunning;
  if (!app_status_ || phase_ < Phase::kCollecting) complain_of_failure(what);
  kill_program();
  leave();
}

void JobController::leave() {
  if (phase_ == Phase::kLeaving) return;
  enter(Phase::kLeaving);
  for (auto& agent : agents_) {
    if (agent.state >= AgentState::kLeaving || !agent.pid) continue;
    set_agent_state(agent, AgentState::kLeaving);
    agent.control.send({{"cmd", "shutdown"}});
  }
}

void JobController::kill_everything() {
  const TimeNs deadline = monotonic_ns() + kLeavePatience;
  abandon_children();
  kill_program();
  if (app_pid_ && !joined_ && !app_status_) {
    int status;
    if (waitpid(app_pid_, &status, 0) == app_pid_) app_status_ = status;
  }
  for (auto& agent : agents_) {
    if (agent.state == AgentState::kGone || !agent.pid) continue;
    kill(agent.pid, SIGKILL);
    int status;
    waitpid(agent.pid, &status, 0);
    set_agent_state(agent, AgentState::kGone);
  }
  // Vessels are the agents' children and die with them; see those gone that can be seen.
  for (const auto& agent : agents_)
    while (agent.node != 0 && !agent.where.remote && agent.runtime_pid > 0 && process_runs(agent.runtime_pid) && monotonic_ns() < deadline)
      usleep(1000);
  end_id_space();
}

// ---- names -------------------------------------------------------------------------------------------------------

AgentHandle* JobController::agent(int node) {
  return node >= 0 && static_cast<size_t>(node) < agents_.size() ? &agents_[static_cast<size_t>(node)] : nullptr;
}

std::string JobController::name_of(const AgentHandle& agent) const { return fmt::format("node {} ({})", agent.node, agent.host); }

std::string JobController::waiting_for() const {
  const AgentState wanted = phase_ == Phase::kListening ? AgentState::kListening : AgentState::kReady;
  std::string names;
  for (const auto& agent : agents_) {
    if (agent.state >= wanted) continue;
    names += (names.empty() ? "" : ", ") + name_of(agent);
    if (agent.where.remote && !agent.port) names += ", just started there, to report";
    if (agent.port) names += fmt::format(" at {}:{}", agent.address, agent.port);
  }
  return names.empty() ? "the agents" : names;
}

}  // namespace dsm::tools
