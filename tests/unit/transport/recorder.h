// SPDX-License-Identifier: Apache-2.0
// A Receiver that writes down what it is told, and helpers to run several transports in one thread.
#pragma once
#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libdsm/transport/hmac_authenticator.h"
#include "libdsm/transport/tcp_transport.h"
#include "libdsm/transport/tls_authenticator.h"

namespace dsm::transport::testing {

Bytes as_bytes(const std::string& text);
std::string as_text(Bytes bytes);
std::vector<std::byte> pattern(size_t size, unsigned seed);
Secret secret_of(unsigned seed);

class Recorder : public Receiver {
 public:
  struct Data {
    NodeId source;
    std::string header;
    std::vector<std::byte> bytes;
    bool placed;
  };
  void on_peer_up(NodeId peer) override { up.push_back(peer); }
  void on_peer_down(NodeId peer, const Error& why) override { down.emplace_back(peer, why); }
  Status on_message(NodeId source, Bytes header) override;
  Status place_payload(NodeId source, Bytes header, uint64_t size, Places& places) override;
  Status on_data(NodeId source, Bytes header, const Payload& payload) override;
  void on_payload_sent(uint64_t token) override { sent.push_back(token); }
  void on_channel(NodeId source, Bytes greeting, os::Fd stream) override;
  void on_channel_opened(uint64_t token, Result<os::Fd> stream) override;
  void on_stranger(const Error& why) override { strangers.push_back(why.what); }

  bool is_up(NodeId peer) const { return std::find(up.begin(), up.end(), peer) != up.end(); }
  bool is_down(NodeId peer) const;

  std::vector<NodeId> up;
  std::vector<std::pair<NodeId, Error>> down;
  std::vector<std::pair<NodeId, std::string>> messages;
  std::vector<Data> data;
  std::vector<uint64_t> sent;
  std::vector<std::string> strangers;
  struct Channel {
    NodeId source;
    std::string greeting;
    os::Fd stream;
  };
  std::vector<Channel> channels;
  std::map<uint64_t, Result<os::Fd>> opened;

  bool choose_places = false;              // else the transport's buffer
  size_t place_bytes = SIZE_MAX;           // size of each place
  std::string poison;                      // a message with this header is an error
  std::function<void(NodeId, const std::string&)> react;  // to messages

 private:
  std::vector<std::byte> target_;
};

// What a node believes of its job.
struct Belief {
  bool tls = false;
  uint64_t rekey_bytes = TlsStream::kRekeyBytes;
  uint16_t nodes = kMaxNodes;
  uint64_t job = 0;
  uint32_t epoch = 0;
};

// A transport, its receiver and what they need.
struct Node {
  Node(unsigned id, unsigned secret_seed, bool epoll, uint64_t max_queued = 256u << 20,
       Connector::Limits limits = {}, const Belief& belief = {});
  NodeId id;
  std::unique_ptr<Authenticator> authenticator;
  Recorder recorder;
  std::unique_ptr<TcpTransport> transport;
  Endpoint at;
};

// `count` nodes, connected with each other.
std::vector<std::unique_ptr<Node>> make_mesh(unsigned count, bool epoll, const Belief& belief = {});

// Polls all until `done`, at most `limit`. Whether it was done.
bool run_until(const std::vector<Node*>& nodes, const std::function<bool()>& done,
               std::chrono::milliseconds limit = std::chrono::seconds(10));
std::vector<Node*> all_of(const std::vector<std::unique_ptr<Node>>& nodes);

}  // namespace dsm::transport::testing
