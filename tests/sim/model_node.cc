// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/model_node.h"

#include <algorithm>

#include "libdsm/base/check.h"
#include "tests/sim/action_executor.h"

namespace dsm::sim {

void Effects::clear() {
  sent.clear();
  woken.clear();
  refused.clear();
  finished.clear();
  touched.clear();
  zapped.clear();
}

ModelNode::ModelNode(const coherence::CacheConfig& cache, const pagedir::DirectoryConfig& directory,
                     const pagedir::ShardMap& map)
    : id_(cache.self), cache_(cache, map), directory_(directory, map), memory_(cache.self == kOrigin) {}

void ModelNode::begin() {
  DSM_CHECK(!busy());
  actions_.clear();
  next_ = 0;
  current_.reset();
  installed_.clear();
}

void ModelNode::fault(const coherence::Fault& fault, TimeNs now) {
  begin();
  cache_.on_fault(fault, now, actions_);
}

void ModelNode::timer(TimeNs now) {
  begin();
  cache_.on_timer(now, actions_);
}

void ModelNode::thread_blocked(ThreadId thread, TimeNs now) {
  begin();
  cache_.on_thread_blocked(thread, now, actions_);
}

void ModelNode::evict(PageNo page, NodeId to, TimeNs now) {
  begin();
  cache_.evict(page, to, now, actions_);
}

void ModelNode::drop_range(RangeId id, const PageRange& range, wire::RangeOp op, TimeNs now) {
  begin();
  cache_.drop_range(id, range, op, now, actions_);
}

void ModelNode::resume_range(RangeId id, TimeNs now) {
  begin();
  cache_.resume_range(id, now, actions_);
}

void ModelNode::adopt(ShardId shard, uint32_t epoch, const wire::NodeSet& everyone, TimeNs now, Effects& effects) {
  begin();
  pagedir::Sends sends;
  directory_.adopt(shard, epoch, everyone, now, sends);
  send_all(sends, effects);
}

bool ModelNode::receive_in_place(const Packet& packet, Effects& effects, Failure& failure) {
  DSM_CHECK(!busy());
  const auto* data = std::get_if<wire::Data>(&packet.envelope.message);
  if (data == nullptr || packet.payload.empty() || !cache_.accepts_payload(packet.envelope)) return false;
  for (size_t i = 0; i < packet.payload.size(); ++i) memory_.install(data->page + i, packet.payload[i], failure);
  effects.touched.push_back({data->page, packet.payload.size()});
  return true;
}

// What was received in place and not asked for must not stay in the memfd.
void ModelNode::end_of_actions(Effects& effects) {
  if (current_ && current_->in_place) {
    const PageNo first = std::get<wire::Data>(current_->envelope.message).page;
    for (uint64_t i = 0; i < current_->payload.size(); ++i) {
      const auto named = [page = first + i](const PageRange& range) { return range.contains(page); };
      if (std::any_of(installed_.begin(), installed_.end(), named)) continue;
      memory_.zap(first + i, 1);
      effects.touched.push_back({first + i, 1});
      effects.zapped.push_back({first + i, 1});
    }
  }
  current_.reset();
}

void ModelNode::receive(Packet packet, TimeNs now, Effects& effects, Failure& failure) {
  begin();
  if (!wire::is_for_directory(packet.envelope.message)) {
    current_ = std::move(packet);
    cache_.on_message(current_->envelope, now, actions_);
    if (!busy()) end_of_actions(effects);
    return;
  }
  pagedir::Sends sends;
  if (const auto error = directory_.on_message(packet.envelope, now, sends))
    failure.report(std::string("directory: protocol error: ") + error->what + ": " + wire::to_string(packet.envelope));
  send_all(sends, effects);
}

void ModelNode::receive_own(TimeNs now, Effects& effects, Failure& failure) {
  Packet packet = std::move(own_.front());
  own_.pop_front();
  receive(std::move(packet), now, effects, failure);
}

void ModelNode::lose_directory(const pagedir::DirectoryConfig& config, const pagedir::ShardMap& map) {
  pagedir::ShardMap elsewhere = map;
  const NodeId another{static_cast<uint16_t>((id_.value + 1) % config.nodes)};
  for (uint16_t s = 0; s < map.shards(); ++s)
    if (map.host_of(ShardId{s}) == id_) elsewhere.move(ShardId{s}, another);
  directory_ = pagedir::DirectoryService(config, elsewhere);
  forget_own_directory_messages();
}

void ModelNode::forget_own_directory_messages() {
  std::erase_if(own_, [](const Packet& packet) { return wire::is_for_directory(packet.envelope.message); });
}

void ModelNode::send_all(const pagedir::Sends& sends, Effects& effects) {
  for (const pagedir::Send& send : sends) route({id_, send.dst, send.message}, {}, effects);
}

void ModelNode::route(wire::Envelope envelope, std::vector<Token> payload, Effects& effects) {
  Packet packet{std::move(envelope), std::move(payload)};
  if (packet.envelope.dst == id_)
    own_.push_back(std::move(packet));
  else
    effects.sent.push_back(std::move(packet));
}

void ModelNode::execute_next(TimeNs now, const OriginMap& map, Effects& effects, Failure& failure) {
  DSM_CHECK(busy());
  const coherence::Action action = actions_[next_++];  // a copy: answers may append to the vector
  ActionExecutor executor{*this, now, map, effects, failure};
  std::visit(executor, action);
  if (!busy()) end_of_actions(effects);
}

bool ModelNode::handles(PageNo page, Token token) const {
  if (current_ && current_->carries(page, token)) return true;
  return std::any_of(own_.begin(), own_.end(), [&](const Packet& packet) { return packet.carries(page, token); });
}

void ModelNode::digest(Hasher& hasher) const {
  cache_.digest(hasher);
  directory_.digest(hasher);
  memory_.digest(hasher);
  hasher.add(actions_.size() - next_);
  for (size_t i = next_; i < actions_.size(); ++i) {
    if (const auto* send = std::get_if<coherence::Send>(&actions_[i])) Packet{{id_, send->dst, send->message}, {}, false}.digest(hasher);
    else hasher.add(std::hash<std::string>()(coherence::to_string(actions_[i])));
  }
  if (current_) current_->digest(hasher);
  for (const Packet& packet : own_) packet.digest(hasher);
}

}  // namespace dsm::sim
