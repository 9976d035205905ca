// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/faulty.h"

#include <algorithm>
#include <cerrno>

#include "libdsm/os/clock.h"

namespace dsm::transport {
namespace {

constexpr size_t kMessageClass = 0, kDataClass = 1;

}  // namespace

void FaultyTransport::cut(NodeId peer) {
  close_peer(peer);
  cut_.push_back(peer);
}

void FaultyTransport::silence(NodeId peer, bool on) { troubles_[peer].silent = on; }

void FaultyTransport::delay(NodeId peer, uint64_t message_delay_ns, uint64_t data_delay_ns) {
  troubles_[peer].delay_ns = {message_delay_ns, data_delay_ns};
}

void FaultyTransport::close_peer(NodeId peer) {
  troubles_.erase(peer);
  inner_->close_peer(peer);
}

// Whether the message goes no further for now.
bool FaultyTransport::hold(NodeId peer, size_t link_class, Bytes header, std::span<const Bytes> payload) {
  const auto found = troubles_.find(peer);
  if (found == troubles_.end()) return false;
  Trouble& trouble = found->second;
  if (trouble.silent) return true;
  auto& held = trouble.held[link_class];
  if (trouble.delay_ns[link_class] == 0 && held.empty()) return false;
  Held one{os::now_ns() + trouble.delay_ns[link_class], {header.begin(), header.end()}, {}};
  if (!held.empty()) one.due = std::max(one.due, held.back().due);
  for (Bytes slice : payload) one.payload.insert(one.payload.end(), slice.begin(), slice.end());
  held.push_back(std::move(one));
  return true;
}

void FaultyTransport::send(NodeId peer, Bytes header) {
  if (!hold(peer, kMessageClass, header, {})) inner_->send(peer, header);
}

Sent FaultyTransport::send_data(NodeId peer, Bytes header, std::span<const Bytes> payload, uint64_t token) {
  return hold(peer, kDataClass, header, payload) ? Sent::kTaken : inner_->send_data(peer, header, payload, token);
}

void FaultyTransport::release(TimeNs now) {
  for (auto& [peer, trouble] : troubles_) {
    for (size_t c : {kMessageClass, kDataClass}) {
      auto& held = trouble.held[c];
      for (; !held.empty() && held.front().due <= now; held.pop_front()) {
        const Bytes payload(held.front().payload);
        if (c == kMessageClass) inner_->send(peer, held.front().header);
        else inner_->send_data(peer, held.front().header, {&payload, 1}, 0);
      }
    }
  }
}

TimeNs FaultyTransport::next_due() const {
  TimeNs due = UINT64_MAX;
  for (const auto& [peer, trouble] : troubles_)
    for (const auto& held : trouble.held)
      if (!held.empty()) due = std::min(due, held.front().due);
  return due;
}

size_t FaultyTransport::poll(uint64_t timeout_ns) {
  const std::vector<NodeId> gone = std::exchange(cut_, {});
  for (NodeId peer : gone)
    receiver_.on_peer_down(peer, Error{"node " + std::to_string(peer.value) + ": the connection was cut", ECONNRESET});
  const TimeNs now = os::now_ns();
  release(now);
  if (!gone.empty()) timeout_ns = 0;
  if (const TimeNs due = next_due(); due != UINT64_MAX) timeout_ns = std::min(timeout_ns, due - std::min(due, now));
  return gone.size() + inner_->poll(timeout_ns);
}

}  // namespace dsm::transport
