// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/node_agent.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <utility>

#include "libdsm/agent/peer_trust.h"
#include "libdsm/agent/stats_collector.h"
#include "libdsm/base/check.h"
#include "libdsm/os/clock.h"
#include "libdsm/os/seqpacket.h"
#include "libdsm/transport/tcp_transport.h"

namespace dsm::agent {
namespace {

constexpr size_t kFaultBatch = 16;
constexpr std::string_view kLoopback = "127.0.0.1";
constexpr TimeNs kIntroductionPatience = 120'000'000'000;  // hundreds of other agents may have to be started first
constexpr TimeNs kOrphanPatience = 2'000'000'000;

coherence::CacheConfig cache_config(const Configure& c) {
  coherence::CacheConfig cache;
  cache.self = c.node;
  cache.nodes = c.nodes;
  cache.hold_ns = TimeNs{c.hold_us} * 1000;
  cache.lease = c.lease;
  cache.mutation = c.mutation;
  return cache;
}

PeerWatch::Config watch_config(const Configure& c) {
  PeerWatch::Config config;
  config.heartbeat_ns = TimeNs{c.heartbeat_ms} * 1'000'000;
  config.dead_after_ns = 10 * config.heartbeat_ns;
  return config;
}

std::string name_of(NodeId node) { return "node " + std::to_string(node.value); }

}  // namespace

NodeAgent::NodeAgent(Configure config, LauncherPort& launcher, Log& log)
    : config_(std::move(config)),
      launcher_(launcher),
      log_(log),
      kernel_(os::probe_kernel()),
      authenticator_(make_authenticator(config_)),
      engine_(cache_config(config_), *this, log),
      runtime_(config_, kernel_, engine_, *this, log),
      keeper_(config_.memory_bytes, config_.node, config_.nodes, engine_, log),
      checkpoints_(config_, log),
      watch_(config_.nodes, watch_config(config_)),
      policy_(config_.poll),
      cpu_(config_.nodes),
      mover_(config_.nodes, [this](ThreadId t) { return kick_thread(t); },
             [this](uint64_t id, const std::string& error) { launcher_.moved(id, error); }),
      meshes_complete_(config_.nodes, false),
      lost_(config_.nodes, false),
      left_(config_.nodes, false) {}

NodeAgent::~NodeAgent() { vessel_.kill_if_running(SIGKILL); }

// ---- Start ---------------------------------------------------------------------------------------------------

Status NodeAgent::start() {
  for (const os::FeatureLine& line : os::describe(kernel_)) {
    if (line.present) continue;
    if (line.tier == os::FeatureLine::Tier::kRequired) return Error{line.name + ": " + line.advice, 0};
    log_.info(line.name + ": " + line.advice);
  }
  os::raise_fd_limit();
  os::use_fine_timers();
  os::use_short_slices();

  transport::TcpConfig tcp;
  tcp.self = config_.node;
  tcp.nodes = static_cast<uint16_t>(config_.nodes);
  tcp.job = transport::job_tag(config_.job);
  tcp.epoch = config_.epoch;
  auto made = transport::TcpTransport::make(tcp, *authenticator_, *this);
  if (!made) return made.error();
  transport_ = std::move(*made);
  Result<std::string> address = listening_address(config_);
  if (!address) return address.error();
  Result<transport::Endpoint> at = transport_->listen({*address, 0, ""});
  if (!at) return Error{at.error().what + (config_.bind == kLoopback ? "" : "; --iface names another network"), at.error().code};
  Result<NodeFactsReport> facts = gather_facts(config_, kernel_.release);
  if (!facts) return facts.error();

  transport_->watch(launcher_.fd(), POLLIN, [this](uint32_t) { on_launcher_input(); });
  launcher_.listening(config_.node, *at, os::own_pid(), os::online_cpus(), *facts, reached_from(config_.bind));
  orphaned_at_ = os::now_ns() + kIntroductionPatience;
  if (!is_origin()) return start_vessel();
  if (config_.app_fd < 0) return Error{"configure: the origin needs app_fd", 0};
  adopt_runtime(os::Fd(config_.app_fd));
  return success();
}

Status NodeAgent::start_vessel() {
  os::Fd ours, theirs;
  int error = os::make_packet_pair(&ours, &theirs);
  if (error != 0) return system_error("socketpair", -error);
  os::SpawnOptions options;
  options.path = config_.runtime;
  options.arguments = {"dsm-vessel", "vessel", std::to_string(theirs.get())};
  options.inherited_fd = theirs.get();
  Result<os::Child> child = os::Child::spawn(options);
  if (!child) return child.error();
  vessel_ = std::move(*child);
  transport_->watch(vessel_.pidfd(), POLLIN, [this](uint32_t) { on_vessel_end(); });
  adopt_runtime(std::move(ours));
  return success();
}

void NodeAgent::adopt_runtime(os::Fd socket) {
  os::set_close_on_exec(socket.get(), true);
  runtime_.connect(std::move(socket));
  runtime_watch_ = transport_->watch(runtime_.fd(), POLLIN | POLLOUT, [this](uint32_t) { runtime_waiting_ = true; });
  runtime_waiting_ = true;
}

// ---- The loop ------------------------------------------------------------------------------------------------

int NodeAgent::run(std::span<const Command> early) {
  handle_all(early);
  while (!exit_status_) {
    TimeNs now = os::now_ns();
    bool progress = turn(now);
    if (progress) {
      policy_.progressed(now);
    } else if (policy_.spins(engine_.in_flight(), now)) {
      // The thread that was just woken may want this CPU. Yielding only at every 8th or 64th empty turn made a remote
      // fault 1.6 and 4 times as long on 2 CPUs.
      os::yield();
    } else {
      wait(now);
    }
  }
  // Its memory ends with this agent. Before it was ready, the program had none of it.
  if (said_ready_) program_.kill_if_running(SIGKILL);
  return *exit_status_;
}

bool NodeAgent::turn(TimeNs now) {
  bool spinning = policy_.spins(engine_.in_flight(), now);
  bool progress = transport_->poll(0) > 0;
  if (spinning || faults_waiting_) progress |= take_faults();
  if (runtime_waiting_) progress |= take_runtime();
  progress |= keep_memory(os::now_ns());
  progress |= take_checkpoint_end();
  check_time(os::now_ns());
  for (; !violators_.empty(); violators_.pop_back()) lose_peer(violators_.back(), "sent what it cannot have sent");
  return progress;
}

bool NodeAgent::take_faults() {
  faults_waiting_ = false;
  if (!runtime_.memory()) return false;
  std::array<fault::FaultEvent, kFaultBatch> events;
  bool any = false;
  for (;;) {
    int n = runtime_.memory()->faults().read(events);
    if (n <= 0) return any;
    any = true;
    for (const fault::FaultEvent& event : std::span(events).first(static_cast<size_t>(n)))
      if (!keeper_.hold_back(event, *runtime_.memory(), os::now_ns())) serve_fault(event);
    // A full batch says that more may wait; edge-triggered waiting would not say so again.
    if (static_cast<size_t>(n) < events.size()) return any;
  }
}

void NodeAgent::serve_fault(const fault::FaultEvent& event) {
  blocked_.faulted(event.thread);
  engine_.on_fault(event, os::now_ns());
}

bool NodeAgent::take_runtime() {
  runtime_waiting_ = false;
  if (!runtime_.connected()) return false;
  runtime_.flush();
  RuntimeService::Drained drained = runtime_.drain();
  runtime_.run_pending(os::now_ns());
  if (drained != RuntimeService::Drained::kClosed) return drained == RuntimeService::Drained::kSome;
  // The application's end is seen by the launcher, the vessel's by its pidfd; here there is only nothing left to read.
  transport_->unwatch(*runtime_watch_);
  runtime_watch_.reset();
  runtime_.disconnect();
  return true;
}

void NodeAgent::check_time(TimeNs now) {
  if (runtime_.pending()) runtime_.run_pending(now);  // drained in the middle of an event
  if (engine_.next_deadline()) {
    blocked_.check([this](ThreadId t) { return runtime_.board().running(t); },
                   [&](ThreadId t) { engine_.on_thread_blocked(t, now); });
    if (auto deadline = engine_.next_deadline(); deadline && *deadline <= now) engine_.on_timer(now);
  }
  check_moves(now);
  check_checkpoint(now);
  if (now >= orphaned_at_) {
    log_.error(mesh_ ? "no word from the launcher since node 0 was lost; ending" : "no word from the launcher; ending");
    return stop(kExitOrphaned);
  }
  if (!mesh_ || now < watch_.next_check()) return;
  PeerWatch::Verdict verdict = watch_.check(now);
  for (NodeId peer : verdict.dead)
    lose_peer(peer, "no sign of life for " + std::to_string(watch_.dead_after() / 1'000'000) + " ms");
  if (!verdict.send_heartbeats) return;
  send_to_all(FrameKind::kHeartbeat);
  // Their ends arrive as events; nothing may outlive the job because one was missed.
  on_launcher_input();
  on_vessel_end();
}

void NodeAgent::wait(TimeNs now) {
  uint64_t timeout = transport::kForever;
  auto until = [&](TimeNs deadline) { timeout = std::min<uint64_t>(timeout, deadline > now ? deadline - now : 0); };
  if (auto deadline = engine_.next_deadline()) until(*deadline);
  if (mesh_) until(watch_.next_check());
  if (orphaned_at_ != kNever) until(orphaned_at_);
  if (auto check = next_move_check()) until(*check);
  if (!checkpoints_.busy() && checkpoints_.next_due() != kNever) until(checkpoints_.next_due());
  if (auto step = keeper_.next_step()) until(*step);
  transport_->poll(timeout);
}

// ---- Peers ---------------------------------------------------------------------------------------------------

void NodeAgent::on_peer_up(NodeId peer) {
  watch_.up(peer, os::now_ns());
  keeper_.tell_again();
  advance_readiness();
}

void NodeAgent::send_to_all(FrameKind kind) {
  const std::byte frame{static_cast<std::byte>(kind)};
  for (uint16_t i = 0; i < config_.nodes; ++i)
    if (watch_.is_up(NodeId{i})) transport_->send(NodeId{i}, {&frame, 1});
}

Status NodeAgent::take_mesh_complete(NodeId source) {
  if (!is_origin() || meshes_complete_[source.value]) return Error{"says a second time, or to a worker, that it is connected", 0};
  meshes_complete_[source.value] = true;
  advance_readiness();
  return success();
}

bool NodeAgent::all_meshes_complete() const {
  return std::count(meshes_complete_.begin(), meshes_complete_.end(), true) + 1 == static_cast<long>(config_.nodes);
}

void NodeAgent::on_peer_down(NodeId peer, const Error& why) { lose_peer(peer, why.what); }

void NodeAgent::lose_peer(NodeId peer, const std::string& why) {
  if (peer.value >= lost_.size() || lost_[peer.value]) return;
  lost_[peer.value] = true;
  watch_.down(peer);
  transport_->close_peer(peer);
  if (exit_status_ || left_[peer.value]) return;
  log_.info("lost " + name_of(peer) + ": " + why);
  // The origin's agent is on the launcher's machine. If that cannot be reached, the control stream may stay open and silent for
  // as long as TCP is patient; if only that agent died, the launcher says so at once.
  if (peer == kOrigin) orphaned_at_ = os::now_ns() + kOrphanPatience;
  launcher_.peer_lost(config_.node, peer, why);
}

Status NodeAgent::on_message(NodeId source, transport::Bytes frame) {
  TimeNs now = os::now_ns();
  watch_.heard(source, now);
  if (frame.empty()) return Error{"empty frame", 0};
  if (frame[0] == static_cast<std::byte>(FrameKind::kHeartbeat)) return success();
  if (frame[0] == static_cast<std::byte>(FrameKind::kGoodbye)) {
    left_[source.value] = true;
    return success();
  }
  if (frame[0] == static_cast<std::byte>(FrameKind::kCpuQuestion)) return answer_cpu_question(source, frame);
  if (frame[0] == static_cast<std::byte>(FrameKind::kCpuAnswer)) return take_cpu_answer(source, frame, now);
  if (frame[0] == static_cast<std::byte>(FrameKind::kMeshComplete)) return take_mesh_complete(source);
  if (frame[0] == static_cast<std::byte>(FrameKind::kRoom)) return take_room(source, frame);
  if (frame[0] != static_cast<std::byte>(FrameKind::kProtocol)) return Error{"frame of unknown kind", 0};
  Result<wire::Envelope> envelope = wire::decode(frame.subspan(1));
  if (!envelope) return envelope.error();
  if (envelope->src != source || envelope->dst != config_.node) return Error{"message of another pair of nodes", 0};
  if (wire::channel_class(envelope->message) != wire::ChannelClass::kControl) return Error{"data among the messages", 0};
  engine_.on_message(*envelope, {}, now);
  return success();
}

Status NodeAgent::place_payload(NodeId, transport::Bytes, uint64_t, transport::Places&) {
  return success();  // into the transport's buffer: whether it may be written is decided when the message is handled
}

Status NodeAgent::on_data(NodeId source, transport::Bytes frame, const transport::Payload& payload) {
  TimeNs now = os::now_ns();
  watch_.heard(source, now);
  if (frame.empty() || frame[0] != static_cast<std::byte>(FrameKind::kProtocol)) return Error{"bad data frame", 0};
  Result<wire::Envelope> envelope = wire::decode(frame.subspan(1));
  if (!envelope) return envelope.error();
  if (envelope->src != source || envelope->dst != config_.node) return Error{"message of another pair of nodes", 0};
  if (payload.bytes.size() != wire::payload_pages(envelope->message) * kPageBytes)
    return Error{"payload of the wrong length", 0};
  engine_.on_message(*envelope, payload.bytes, now);
  return success();
}

void NodeAgent::on_payload_sent(uint64_t token) { engine_.payload_pool().give_back(token); }

void NodeAgent::on_channel(NodeId source, transport::Bytes greeting, os::Fd stream) {
  bool known = greeting.size() == 1 && greeting[0] == static_cast<std::byte>(ChannelKind::kRuntime);
  if (!known || source != kOrigin || is_origin()) return log_.error("channel of unknown kind from " + name_of(source));
  runtime_.hand_channel(std::move(stream));
}

void NodeAgent::on_channel_opened(uint64_t token, Result<os::Fd> stream) {
  runtime_.channel_opened(static_cast<uint32_t>(token), std::move(stream));
}

void NodeAgent::on_stranger(const Error& why) { log_.error(why.what); }

// ---- Engine --------------------------------------------------------------------------------------------------

void NodeAgent::send_to_peer(NodeId dst, const wire::Message& message, std::span<const transport::Bytes> payload,
                             BufferId buffer) {
  if (!watch_.is_up(dst) && !lost_[dst.value]) return fail("a message to " + name_of(dst) + ", which is not connected yet");
  FrameBuffer storage;
  std::span<const std::byte> frame = make_protocol_frame({config_.node, dst, message}, storage);
  if (wire::channel_class(message) == wire::ChannelClass::kControl) return transport_->send(dst, frame);
  transport::Sent sent = transport_->send_data(dst, frame, payload, buffer);
  if (sent == transport::Sent::kTaken && buffer != kNoBuffer) engine_.payload_pool().give_back(buffer);
}

void NodeAgent::raise_fault(ThreadId thread, uint64_t address, wire::RefuseReason reason) {
  runtime_.raise_fault(thread, address, reason);
}

void NodeAgent::range_finished(RangeId id) { runtime_.range_finished(id, os::now_ns()); }

void NodeAgent::protocol_violated(NodeId peer, const char* what) {
  log_.error(name_of(peer) + " broke the protocol: " + what);
  if (peer == config_.node) return fail(std::string("protocol error: ") + what);
  violators_.push_back(peer);
}

void NodeAgent::drain_runtime() {
  if (runtime_.connected() && runtime_.drain() == RuntimeService::Drained::kClosed) runtime_waiting_ = true;
}

// ---- Runtime -------------------------------------------------------------------------------------------------

void NodeAgent::runtime_attached(int pid) {
  log_.info("runtime process " + std::to_string(pid));
  write_board();
  if (is_origin() && config_.ends_app && program_.pid() != pid) program_ = os::Child(pid, os::open_pidfd(pid));
  keeper_.forget_process();
  load_memory_first();
  if (fault_watch_) transport_->unwatch(*fault_watch_);
  fault_watch_ = transport_->watch(runtime_.memory()->faults().fd(), POLLIN, [this](uint32_t) { faults_waiting_ = true; });
  advance_readiness();
}

void NodeAgent::runtime_ready() {
  vessel_ready_ = true;
  advance_readiness();
}

void NodeAgent::runtime_violated(const std::string& what) { fail("runtime: " + what); }

void NodeAgent::open_channel(NodeId node, uint32_t serial) {
  const std::byte greeting{static_cast<std::byte>(ChannelKind::kRuntime)};
  transport_->open_channel(node, {&greeting, 1}, serial);
}

abi::ReplyStats NodeAgent::runtime_stats() { return collect_runtime_stats(engine_, *transport_); }

void NodeAgent::on_vessel_end() {
  std::string how = vessel_.reap_if_ended();
  if (!how.empty()) fail("vessel " + how);
}

// A worker is ready when its vessel can take threads, the origin when every worker is connected to all others.
void NodeAgent::advance_readiness() {
  if (!mesh_complete() || said_ready_) return;
  if (!is_origin() && !std::exchange(said_mesh_complete_, true)) {
    const std::byte frame{static_cast<std::byte>(FrameKind::kMeshComplete)};
    transport_->send(kOrigin, {&frame, 1});
  }
  if (is_origin() ? !all_meshes_complete() : !vessel_ready_) return;
  if (is_origin()) write_board(), runtime_.allow_welcome(make_welcome());
  said_ready_ = true;
  if (is_origin() && config_.chaos_hz > 0) mover_.start_chaos(config_.chaos_hz, config_.chaos_seed, os::now_ns());
  if (is_origin()) checkpoints_.program_runs(os::now_ns());
  launcher_.ready(runtime_.pid());
}

}  // namespace dsm::agent
