// SPDX-License-Identifier: Apache-2.0
// Peers that know the secret and then send what no agent sends. Two real agents (dsmd) with a fake program between them that
// goes on all the time; every other node of the job is played here, and each is one attack. The agents must close the
// connection and say so once, or ignore what is harmless; they must not die, and the program must not notice.
//
//   hostile_peer --dsmd PATH [--encrypt auth|on] [-v]
//   hostile_peer vessel FD        (how an agent starts its vessel)
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "libdsm/os/clock.h"
#include "libdsm/os/socket.h"
#include "tests/integration/agent_pair_job.h"
#include "tests/integration/agent_pair_runtime.h"
#include "tests/integration/hostile_attacks.h"

namespace {

using namespace agent_pair;
using dsm::abi::kProtRead;
using dsm::abi::kProtWrite;

constexpr unsigned kAgents = 2;
constexpr int kVerdictMs = 5000;

// Stores and loads by turns at both agents until told to stop, on pages of shards that the agents host themselves.
int ping_pong(int socket, int stop) {
  FakeRuntime runtime(socket);
  const dsm::abi::Welcome welcome = runtime.hello();
  const int channel = runtime.open_channel(1);
  runtime.map(kRegion, kRegionBytes, kProtRead | kProtWrite);
  const std::vector<uint64_t> places = places_hosted_below(kAgents, welcome.nodes, kRegion, kRegionBytes);
  if (places.empty()) give_up("no page whose shard an agent hosts");
  uint64_t round = 0;
  for (char byte; ::recv(stop, &byte, 1, MSG_DONTWAIT) < 0; ++round) {
    const uint64_t at = places[round % places.size()];
    perform({Do::kStore, 0, at, round, 0});
    if (ask(channel, {Do::kLoad, 0, at, 0, 0}).value != round) return 1;
    ask(channel, {Do::kStore, 0, at, round + 1, 0});
    if (perform({Do::kLoad, 0, at, 0, 0}).value != round + 1) return 2;
  }
  return round > 10 ? 0 : 3;
}

// Runs one attack against both agents; empty, or what was wrong.
std::string run_attack(Job& job, const Attack& attack, HostilePeer (&peers)[kAgents]) {
  for (HostilePeer& peer : peers) peer.attack(attack);
  for (unsigned k = 0; k < kAgents; ++k) {
    const std::string where = " by agent " + std::to_string(k);
    if (attack.outcome == Attack::Outcome::kClosed && !peers[k].closed_within(kVerdictMs)) return "not closed" + where;
    if (attack.outcome == Attack::Outcome::kAny) peers[k].closed_within(20);
    if (job.stats(k).is_null()) return "no answer afterwards" + where;
    const size_t losses = job.losses(k, peers[k].node());
    if (attack.outcome == Attack::Outcome::kClosed && losses != 1) return std::to_string(losses) + " reports" + where;
    if (losses > 1) return "reported more than once" + where;
  }
  return {};
}

int attack_all(JobOptions options) {
  const std::vector<Attack> attacks = all_attacks();
  options.nodes = kAgents + static_cast<unsigned>(attacks.size());
  options.agents = kAgents;
  options.heartbeat_ms = 120'000;  // the played nodes say nothing by themselves
  int stop[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stop) < 0) give_up("socketpair");
  Job job(options);
  std::vector<std::array<HostilePeer, kAgents>> peers(attacks.size());
  job.before_ready = [&](const std::vector<dsm::transport::Endpoint>& agents) {
    for (unsigned i = 0; i < attacks.size(); ++i)
      for (unsigned k = 0; k < kAgents; ++k) peers[i][k].connect(agents[k], kAgents + i, k, options);
    for (auto& pair : peers) pair[0].say_mesh_complete();
  };
  job.start([&](int socket) { return ping_pong(socket, stop[1]); });
  bool good = true;
  for (unsigned i = 0; i < attacks.size(); ++i) {
    HostilePeer pair[kAgents] = {std::move(peers[i][0]), std::move(peers[i][1])};
    const std::string wrong = run_attack(job, attacks[i], pair);
    if (wrong.empty()) std::printf("PASS %s_%s\n", options.encrypt.c_str(), attacks[i].name.c_str());
    else std::printf("FAIL %s_%s %s\n", options.encrypt.c_str(), attacks[i].name.c_str(), wrong.c_str());
    good = good && wrong.empty();
    std::fflush(stdout);
  }
  if (::write(stop[0], "x", 1) != 1) give_up("stop");
  const int status = job.wait_application(30000);
  const bool ended = job.shut_down();
  std::printf("%s %s_program_goes_on application %d%s\n", status == 0 && ended ? "PASS" : "FAIL", options.encrypt.c_str(), status,
              ended ? "" : ", agents did not end");
  return good && status == 0 && ended ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && !std::strcmp(argv[1], "vessel")) run_vessel(std::atoi(argv[2]));
  ::signal(SIGPIPE, SIG_IGN);
  JobOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "-v") options.verbose = true;
    else if (i + 1 < argc && arg == "--dsmd") options.dsmd = argv[++i];
    else if (i + 1 < argc && arg == "--encrypt") options.encrypt = argv[++i];
    else return std::fprintf(stderr, "hostile_peer: bad argument %s\n", argv[i]), 2;
  }
  return attack_all(options);
}
