// SPDX-License-Identifier: Apache-2.0
// How much CPU time the program uses on this node, told to the origin, and at the origin to the program.
#include "libdsm/agent/node_agent.h"
#include "libdsm/agent/peer_frame.h"
#include "libdsm/os/clock.h"
#include "libdsm/os/process.h"

namespace dsm::agent {

void NodeAgent::cpu_time_elsewhere(uint32_t serial) {
  if (auto known = cpu_.ask(serial, os::now_ns())) return runtime_.reply(serial, static_cast<int64_t>(*known));
  ask_for_cpu_time();
}

void NodeAgent::ask_for_cpu_time() {
  std::vector<NodeId> peers;
  for (uint16_t i = 0; i < config_.nodes; ++i)
    if (watch_.is_up(NodeId{i})) peers.push_back(NodeId{i});
  if (peers.empty()) {
    for (uint32_t serial : cpu_.take()) runtime_.reply(serial, static_cast<int64_t>(cpu_.sum()));
    return;
  }
  const auto round = cpu_.start(peers);
  if (!round) return;   // the one under way will do
  const auto frame = make_frame(FrameKind::kCpuQuestion, CpuQuestion{*round});
  for (NodeId peer : peers) transport_->send(peer, frame);
}

Status NodeAgent::answer_cpu_question(NodeId source, transport::Bytes frame) {
  const auto question = body_of<CpuQuestion>(frame);
  if (!question || source != kOrigin) return Error{"question that nobody asks", 0};
  const uint64_t used = runtime_.pid() != 0 ? os::process_cpu_ns(runtime_.pid()) : 0;
  transport_->send(source, make_frame(FrameKind::kCpuAnswer, CpuAnswer{question->round, used}));
  return success();
}

Status NodeAgent::take_cpu_answer(NodeId source, transport::Bytes frame, TimeNs now) {
  const auto answer = body_of<CpuAnswer>(frame);
  if (!answer || !is_origin()) return Error{"answer to no question", 0};
  if (!cpu_.answered(source, answer->round, answer->cpu_ns, now)) return success();
  for (uint32_t serial : cpu_.take()) runtime_.reply(serial, static_cast<int64_t>(cpu_.sum()));
  return success();
}

}  // namespace dsm::agent
