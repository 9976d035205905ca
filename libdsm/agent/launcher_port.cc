// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/launcher_port.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "libdsm/os/process.h"
#include "libdsm/os/stream.h"
#include "libdsm/stats/stats_json.h"

namespace dsm::agent {
namespace {

using nlohmann::json;

constexpr size_t kReadChunk = 64 * 1024;
constexpr size_t kMaxLine = 1 << 20;
constexpr int kWritePatienceMs = 2000;

struct BadCommand {
  std::string what;
};

std::array<std::byte, kSecretBytes> parse_secret(const std::string& hex) {
  std::array<std::byte, kSecretBytes> secret{};
  auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    throw BadCommand{"secret: not hexadecimal"};
  };
  if (hex.size() != 2 * kSecretBytes) throw BadCommand{"secret: must have 64 hexadecimal digits"};
  for (size_t i = 0; i < kSecretBytes; ++i)
    secret[i] = static_cast<std::byte>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  return secret;
}

void parse_placement(const std::string& text, Configure& c) {
  const size_t colon = text.find(':');
  for (const abi::PlacementName& known : abi::kPlacementNames) {
    if (text.substr(0, colon) != known.name || (colon != std::string::npos) != (known.policy == abi::kPlaceNode)) continue;
    c.place = known.policy;
    if (colon != std::string::npos) c.place_node = static_cast<uint32_t>(std::stoul(text.substr(colon + 1)));
    return;
  }
  throw BadCommand{"place: unknown policy '" + text + "'"};
}

void parse_lease(const std::string& text, coherence::LeaseConfig& lease) {
  if (text == "auto") lease.mode = coherence::LeaseMode::kAuto;
  else if (text == "off") lease.mode = coherence::LeaseMode::kOff;
  else {
    lease.mode = coherence::LeaseMode::kFixed;
    lease.fixed_ns = std::stoull(text) * 1000;
  }
}

PollMode parse_poll(const std::string& text) {
  if (text == "auto") return PollMode::kAuto;
  if (text == "always") return PollMode::kAlways;
  if (text == "never") return PollMode::kNever;
  throw BadCommand{"poll: unknown mode '" + text + "'"};
}

Encrypt parse_encrypt(const std::string& text) {
  if (text == "auto") return Encrypt::kAuto;
  if (text == "on") return Encrypt::kOn;
  if (text == "auth" || text == "off") return Encrypt::kAuth;  // there is no way to do without the proof
  throw BadCommand{"encrypt: unknown mode '" + text + "'"};
}

Mutation parse_mutation(const std::string& text) {
  for (unsigned m = 0; m <= static_cast<unsigned>(Mutation::kLast); ++m)
    if (text == to_string(static_cast<Mutation>(m))) return static_cast<Mutation>(m);
  throw BadCommand{"mutation: unknown '" + text + "'"};
}

Configure parse_configure(const json& line) {
  Configure c;
  c.job = line.at("job").get<std::string>();
  c.node = NodeId{line.at("node").get<uint16_t>()};
  c.nodes = line.at("nodes").get<unsigned>();
  if (c.nodes == 0 || c.nodes > kMaxNodes || c.node.value >= c.nodes) throw BadCommand{"node: out of range"};
  c.secret = parse_secret(line.at("secret").get<std::string>());
  c.runtime = line.value("runtime", "");
  c.bind = line.value("bind", "127.0.0.1");
  c.interface = line.value("iface", "");
  parse_placement(line.value("place", "rr"), c);
  // A number is as good as its text.
  json lease = line.value("lease", json("auto"));
  parse_lease(lease.is_string() ? lease.get<std::string>() : lease.dump(), c.lease);
  c.poll = parse_poll(line.value("poll", "auto"));
  c.encrypt = parse_encrypt(line.value("encrypt", "auto"));
  c.epoch = line.value("epoch", c.epoch);
  c.hold_us = line.value("hold_us", c.hold_us);
  c.heartbeat_ms = line.value("heartbeat_ms", c.heartbeat_ms);
  if (c.heartbeat_ms == 0) throw BadCommand{"heartbeat_ms: must not be 0"};
  c.memory_bytes = line.value("mem", c.memory_bytes);
  c.checkpoint_dir = line.value("ckpt_dir", "");
  c.checkpoint_every_ms = line.value("ckpt_every_ms", c.checkpoint_every_ms);
  c.checkpoint_job = line.value("ckpt_job", "");
  c.checkpoint_program = line.value("ckpt_program", "");
  c.restore_dir = line.value("restore_dir", "");
  c.restore_job = line.value("restore_job", "");
  c.restore_generation = line.value("restore_generation", c.restore_generation);
  c.verbose = line.value("verbose", false);
  c.chaos_hz = line.value("chaos_hz", 0.0);
  if (!(c.chaos_hz >= 0 && c.chaos_hz <= 1e6)) throw BadCommand{"chaos_hz: out of range"};
  c.chaos_seed = line.value("chaos_seed", c.chaos_seed);
  c.app_fd = line.value("app_fd", -1);
  c.ends_app = line.value("ends_app", false);
  if (std::string bug = line.value("mutation", ""); !bug.empty()) c.mutation = parse_mutation(bug);
  return c;
}

Peers parse_peers(const json& line) {
  Peers p;
  for (const json& peer : line.at("peers")) {
    uint16_t node = peer.at("node").get<uint16_t>();
    if (node >= kMaxNodes) throw BadCommand{"peers: node out of range"};
    p.peers.push_back({NodeId{node},
                       {peer.at("addr").get<std::string>(), peer.at("port").get<uint16_t>(), peer.value("host", "")}});
  }
  p.cpus = line.at("cpus").get<std::vector<unsigned>>();
  p.app_pid = line.value("app_pid", 0);
  p.origin_clock = line.value("clock", "local") == "origin";
  return p;
}

Command parse_command(const std::string& text) {
  json line = json::parse(text);
  std::string cmd = line.at("cmd").get<std::string>();
  if (cmd == "configure") return parse_configure(line);
  if (cmd == "peers") return parse_peers(line);
  if (cmd == "stats") return StatsQuery{line.at("id").get<uint64_t>()};
  if (cmd == "move")
    return MoveThread{line.at("id").get<uint64_t>(), line.at("tid").get<int>(), line.at("node").get<unsigned>()};
  if (cmd == "drain") return Drain{line.at("node").get<unsigned>(), line.at("on").get<bool>()};
  if (cmd == "shutdown") return Shutdown{};
  if (cmd == "pause") return Pause{};
  if (cmd == "resume") return Resume{};
  throw BadCommand{"unknown command '" + cmd + "'"};
}

// The one place where exceptions of the JSON library (and our own of the parsers above) become an Error.
Result<Command> parse_line(const std::string& text) {
  try {
    return parse_command(text);
  } catch (const BadCommand& bad) {
    return Error{"control stream: " + bad.what, 0};
  } catch (const std::exception& bad) {
    return Error{std::string("control stream: ") + bad.what(), 0};
  }
}

}  // namespace

Result<LauncherPort::Input> LauncherPort::read(std::vector<Command>& commands) {
  if (broken_) return Input::kClosed;
  std::string chunk(kReadChunk, '\0');
  int n = os::read_some(in_, std::as_writable_bytes(std::span(chunk)));
  if (n == -EAGAIN) return Input::kNothing;
  // A launcher that died with our events unread shows as ECONNRESET, not as an end.
  if (n <= 0) return Input::kClosed;
  pending_.append(chunk, 0, static_cast<size_t>(n));
  size_t begin = 0;
  for (size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (end == begin) continue;
    Result<Command> command = parse_line(pending_.substr(begin, end - begin));
    if (!command) return command.error();
    commands.push_back(std::move(*command));
  }
  pending_.erase(0, begin);
  if (pending_.size() > kMaxLine) return Error{"control stream: line too long", 0};
  return Input::kSome;
}

void LauncherPort::write_line(std::string line) {
  line.push_back('\n');
  // A launcher that is gone is noticed on the reading side, one behind a cut network by its silence (node_agent.cc).
  if (!broken_) broken_ = os::write_all(out_, std::as_bytes(std::span(line)), kWritePatienceMs) != 0;
}

void LauncherPort::listening(NodeId node, const transport::Endpoint& at, int pid, int cpus, const NodeFactsReport& facts,
                             const std::string& from) {
  char registers[17];
  std::snprintf(registers, sizeof registers, "%llx", static_cast<unsigned long long>(facts.saved_registers));
  write_line(json{{"event", "listening"}, {"node", node.value}, {"addr", at.address}, {"port", at.port},
                  {"host", os::host_name()}, {"pid", pid}, {"cpus", cpus}, {"reached_from", from},
                  {"facts", {{"version", facts.version}, {"runtime", facts.runtime_digest}, {"kernel", facts.kernel},
                             {"page_bytes", facts.page_bytes}, {"cpu", facts.cpu}, {"xcr0", registers}}}}.dump());
}

void LauncherPort::ready(int app_pid) { write_line(json{{"event", "ready"}, {"app_pid", app_pid}}.dump()); }

void LauncherPort::failed(NodeId node, std::string_view what) {
  write_line(json{{"event", "failed"}, {"node", node.value}, {"what", what}}.dump());
}

void LauncherPort::peer_lost(NodeId node, NodeId peer, std::string_view what) {
  write_line(json{{"event", "peer_lost"}, {"node", node.value}, {"peer", peer.value}, {"what", what}}.dump());
}

void LauncherPort::stats(uint64_t id, const stats::StatsReport& report) {
  json line{{"event", "stats"}, {"id", id}};
  stats::add_report(line, report);
  write_line(line.dump());
}

void LauncherPort::moved(uint64_t id, std::string_view error) {
  write_line(json{{"event", "moved"}, {"id", id}, {"error", error}}.dump());
}

void LauncherPort::drain(NodeId node, uint64_t threads, uint64_t pages, bool done) {
  write_line(json{{"event", "drain"}, {"node", node.value}, {"threads", threads}, {"pages", pages}, {"done", done}}.dump());
}

void LauncherPort::bye(NodeId node) { write_line(json{{"event", "bye"}, {"node", node.value}}.dump()); }

}  // namespace dsm::agent
