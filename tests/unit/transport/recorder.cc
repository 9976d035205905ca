// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/transport/recorder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "libdsm/os/epoll_reactor.h"
#include "libdsm/os/uring_reactor.h"

namespace dsm::transport::testing {

Bytes as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::vector<std::byte> pattern(size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  uint32_t state = seed * 2654435761u + 1;
  for (auto& b : bytes) {
    state = state * 1664525u + 1013904223u;
    b = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

Secret secret_of(unsigned seed) {
  Secret secret;
  const auto bytes = pattern(secret.size(), seed);
  std::copy(bytes.begin(), bytes.end(), secret.begin());
  return secret;
}

Status Recorder::on_message(NodeId source, Bytes header) {
  EXPECT_TRUE(is_up(source));
  const std::string text = as_text(header);
  if (!poison.empty() && text == poison) return Error{"sent poison", EPROTO};
  messages.emplace_back(source, text);
  if (react) react(source, text);
  return success();
}

Status Recorder::place_payload(NodeId, Bytes, uint64_t size, Places& places) {
  EXPECT_GT(size, kStagedPayloadBytes);
  if (!choose_places) return success();
  target_.assign(size, std::byte{0});
  for (size_t at = 0; at < size;) {
    const size_t n = std::min(place_bytes, size - at);
    places.push_back(std::span(target_).subspan(at, n));
    at += n;
  }
  return success();
}

Status Recorder::on_data(NodeId source, Bytes header, const Payload& payload) {
  EXPECT_TRUE(is_up(source));
  Data one{source, as_text(header), {}, payload.placed};
  if (payload.placed) one.bytes = target_;
  else one.bytes.assign(payload.bytes.begin(), payload.bytes.end());
  EXPECT_EQ(one.bytes.size(), payload.size);
  data.push_back(std::move(one));
  return success();
}

void Recorder::on_channel(NodeId source, Bytes greeting, os::Fd stream) {
  channels.push_back({source, as_text(greeting), std::move(stream)});
}

void Recorder::on_channel_opened(uint64_t token, Result<os::Fd> stream) {
  EXPECT_TRUE(opened.emplace(token, std::move(stream)).second);
}

bool Recorder::is_down(NodeId peer) const {
  return std::any_of(down.begin(), down.end(), [peer](const auto& one) { return one.first == peer; });
}

Node::Node(unsigned node, unsigned secret_seed, bool epoll, uint64_t max_queued, Connector::Limits limits,
           const Belief& belief)
    : id{static_cast<uint16_t>(node)} {
  const Secret secret = secret_of(secret_seed);
  if (belief.tls) authenticator = std::make_unique<TlsAuthenticator>(secret, belief.rekey_bytes);
  else authenticator = std::make_unique<HmacAuthenticator>(secret);
  auto reactor = epoll ? os::EpollReactor::make() : os::UringReactor::make();
  EXPECT_TRUE(reactor) << reactor.error().what;
  TcpConfig config{.self = id, .connecting = limits, .max_queued_bytes = max_queued,
                   .nodes = belief.nodes, .job = belief.job, .epoch = belief.epoch};
  transport = std::make_unique<TcpTransport>(config, *authenticator, recorder, std::move(*reactor));
  auto bound = transport->listen({"127.0.0.1", 0, "here"});
  EXPECT_TRUE(bound);
  at = *bound;
}

std::vector<Node*> all_of(const std::vector<std::unique_ptr<Node>>& nodes) {
  std::vector<Node*> all;
  for (const auto& node : nodes) all.push_back(node.get());
  return all;
}

bool run_until(const std::vector<Node*>& nodes, const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    size_t handled = 0;
    for (Node* node : nodes) handled += node->transport->poll(0);
    if (handled == 0 && nodes.size() > 0) nodes[0]->transport->poll(100'000);
  }
  return true;
}

std::vector<std::unique_ptr<Node>> make_mesh(unsigned count, bool epoll, const Belief& belief) {
  std::vector<std::unique_ptr<Node>> nodes;
  for (unsigned i = 0; i < count; ++i) nodes.push_back(std::make_unique<Node>(i, 1, epoll, 256u << 20, Connector::Limits{}, belief));
  for (auto& node : nodes)
    for (auto& other : nodes)
      if (node != other) node->transport->add_peer(other->id, other->at);
  const bool complete = run_until(all_of(nodes), [&] {
    return std::all_of(nodes.begin(), nodes.end(), [&](auto& n) { return n->recorder.up.size() == count - 1; });
  });
  EXPECT_TRUE(complete);
  for (auto& node : nodes) {
    for (const auto& line : node->recorder.strangers) ADD_FAILURE() << line;
    for (const auto& [peer, why] : node->recorder.down) ADD_FAILURE() << why.what;
  }
  return nodes;
}

}  // namespace dsm::transport::testing
