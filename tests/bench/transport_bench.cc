// SPDX-License-Identifier: Apache-2.0
// The transport beside bare TCP, both ends spinning, two processes:
//   transport_bench [ROUNDS]
// Prints one JSON object: latency of a 64-byte message answered by a page, bandwidth of 256 KiB runs into fresh memfd
// pages, each as the median over alternating rounds and as a ratio to the bare socket.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "libdsm/base/check.h"
#include "libdsm/transport/hmac_authenticator.h"
#include "libdsm/transport/tcp_transport.h"
#include "tests/bench/raw_tcp.h"

namespace dsm::bench {
namespace {

using namespace dsm::transport;

constexpr size_t kHeaderBytes = 40;
constexpr size_t kMessageBytes = 64;
constexpr size_t kRunBytes = 256 << 10;
constexpr size_t kStreamBytes = 128u << 20;
constexpr unsigned kRunsAhead = 4;  // requests in flight, as fetch-ahead keeps

// Answers each message with as much payload as its first word says.
class Server : public Receiver {
 public:
  void on_peer_up(NodeId) override {}
  void on_peer_down(NodeId, const Error&) override { ::_exit(0); }
  Status on_message(NodeId source, Bytes header) override {
    uint64_t size = 0;
    std::memcpy(&size, header.data(), sizeof size);
    const Bytes slices[] = {Bytes(content_).first(size)};
    transport->send_data(source, Bytes(content_).first(kHeaderBytes), slices, 1);
    return success();
  }
  Status place_payload(NodeId, Bytes, uint64_t, Places&) override { return success(); }
  Status on_data(NodeId, Bytes, const Payload&) override { return success(); }
  void on_payload_sent(uint64_t) override {}
  void on_channel(NodeId, Bytes, os::Fd) override {}
  void on_channel_opened(uint64_t, Result<os::Fd>) override {}
  void on_stranger(const Error&) override {}
  TcpTransport* transport = nullptr;

 private:
  std::vector<std::byte> content_ = std::vector<std::byte>(kRunBytes, std::byte{1});
};

class Client : public Server {
 public:
  explicit Client(MemfdWindow& window) : window_(window) {}
  void on_peer_up(NodeId) override { up = true; }
  Status place_payload(NodeId, Bytes, uint64_t size, Places& places) override {
    places.emplace_back(window_.data() + filled, size);
    return success();
  }
  Status on_data(NodeId, Bytes, const Payload& payload) override {
    if (payload.placed) filled += payload.size;
    else DSM_CHECK(payload.bytes.size() == kPageBytes);  // as the bare socket, it is left in the receive buffer
    ++arrived;
    return success();
  }
  bool up = false;
  uint64_t arrived = 0;
  size_t filled = 0;

 private:
  MemfdWindow& window_;
};

std::unique_ptr<TcpTransport> make_node(uint16_t id, const Authenticator& auth, Server& receiver) {
  TcpConfig config{.self = NodeId{id}};
  auto transport = TcpTransport::make(config, auth, receiver);
  if (!transport) {
    std::fprintf(stderr, "%s\n", transport.error().what.c_str());
    std::exit(1);
  }
  receiver.transport = transport->get();
  return std::move(*transport);
}

void ask(TcpTransport& transport, uint64_t size) {
  std::byte header[kMessageBytes] = {};
  std::memcpy(header, &size, sizeof size);
  transport.send(NodeId{1}, header);
}

class Pair {
 public:
  Pair() : window_(kStreamBytes), client_(window_) {
    client_node_ = make_node(0, auth_, client_);
    auto at = client_node_->listen({"127.0.0.1", 0, ""});
    if (!at) std::exit(1);
    child_ = std::make_unique<Child>([&] {
      Server server;
      auto node = make_node(1, auth_, server);
      node->add_peer(NodeId{0}, *at);
      for (;;) node->poll(0);
    });
    client_node_->add_peer(NodeId{1}, {"127.0.0.1", 1, ""});
    while (!client_.up) client_node_->poll(1'000'000);
  }

  double round_trip_us(int rounds) {
    std::vector<double> times;
    for (int i = 0; i < rounds; ++i) {
      client_.filled = 0;
      const uint64_t wanted = client_.arrived + 1;
      const uint64_t begin = now_ns();
      ask(*client_node_, kPageBytes);
      while (client_.arrived < wanted) client_node_->poll(0);
      times.push_back(static_cast<double>(now_ns() - begin) / 1000);
    }
    return median(std::move(times));
  }

  double stream_bytes_per_s() {
    window_.renew();
    client_.filled = 0;
    constexpr uint64_t kRuns = kStreamBytes / kRunBytes;
    const uint64_t base = client_.arrived;
    uint64_t asked = 0;
    const uint64_t begin = now_ns();
    while (client_.arrived < base + kRuns) {
      for (; asked < kRuns && base + asked < client_.arrived + kRunsAhead; ++asked) ask(*client_node_, kRunBytes);
      client_node_->poll(0);
    }
    return static_cast<double>(kStreamBytes) / (static_cast<double>(now_ns() - begin) * 1e-9);
  }

  Counters counters() const { return client_node_->counters(); }
  const char* reactor() const { return client_node_->reactor_name(); }

 private:
  HmacAuthenticator auth_{Secret{}};
  MemfdWindow window_;
  Client client_;
  std::unique_ptr<TcpTransport> client_node_;
  std::unique_ptr<Child> child_;
};

int run(int rounds, bool latency_only) {
  pin_to_first_cpu();
  constexpr int kEchoes = 4000;
  std::vector<double> latency, raw_latency, rate, raw_rate;
  uint64_t copied = 0, received = 0;
  for (int i = 0; i < rounds; ++i) {
    raw_latency.push_back(raw_round_trip_us(sizeof(FrameHead) + kMessageBytes,
                                            sizeof(FrameHead) + kHeaderBytes + kPageBytes, kEchoes));
    {
      Pair pair;
      latency.push_back(pair.round_trip_us(kEchoes));
    }
    if (latency_only) continue;
    raw_rate.push_back(raw_stream_bytes_per_s(kStreamBytes, false));
    Pair pair;
    rate.push_back(pair.stream_bytes_per_s());
    copied += pair.counters().payload_bytes_copied;
    received += pair.counters().payload_bytes_in;
  }
  std::vector<double> latency_ratio, rate_ratio;
  for (int i = 0; i < rounds; ++i) {
    latency_ratio.push_back(latency[static_cast<size_t>(i)] / raw_latency[static_cast<size_t>(i)]);
    if (!latency_only) rate_ratio.push_back(rate[static_cast<size_t>(i)] / raw_rate[static_cast<size_t>(i)]);
  }
  std::printf(
      "{\"page_echo_us\":%.2f,\"raw_page_echo_us\":%.2f,\"page_echo_ratio\":%.3f,"
      "\"stream_mib_s\":%.0f,\"raw_stream_mib_s\":%.0f,\"stream_ratio\":%.3f,\"copied_share\":%.4f}\n",
      median(latency), median(raw_latency), median(latency_ratio), median(rate) / (1 << 20),
      median(raw_rate) / (1 << 20), median(rate_ratio), static_cast<double>(copied) / static_cast<double>(received));
  return 0;
}

}  // namespace
}  // namespace dsm::bench

int main(int argc, char** argv) { return dsm::bench::run(argc > 1 ? std::atoi(argv[1]) : 9, argc > 2); }
