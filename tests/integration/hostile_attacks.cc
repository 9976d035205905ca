// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/hostile_attacks.h"

#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <random>

#include "libdsm/agent/peer_frame.h"
#include "libdsm/os/clock.h"
#include "libdsm/os/socket.h"
#include "libdsm/transport/frame.h"
#include "libdsm/transport/hmac_authenticator.h"
#include "libdsm/transport/tls_authenticator.h"
#include "pagedir/shard_map.h"
#include "tests/integration/agent_pair_runtime.h"

namespace agent_pair {

using namespace dsm;
using wire::Message;

namespace {

const PageNo kPage{kRegion / kPageBytes + 5};
const PageNo kNowhere{~uint64_t{0}};
const TxnId kTxn{(uint64_t{1} << wire::kTxnEpochShift) + 77};

// One of each kind, well formed, at the wrong moment.
std::vector<Message> samples() {
  wire::NodeSet everybody;
  for (uint16_t n = 0; n < kMaxNodes; ++n) everybody.insert(NodeId{n});
  wire::BlockInfo info{kPage.block(), wire::BlockBits::all(), wire::BlockBits::all(), wire::BlockBits::all(), {}, {}, {}};
  wire::ShardReport report{};
  report.entries = 1;
  report.entry[0] = {kPage, kTxn, 1, 4, wire::ReportEntry::Kind::kExclusive};
  wire::ShardInstall install{};
  install.verdicts = 1;
  install.verdict[0] = {kPage, wire::Verdict::Kind::kRestoreSent};
  return {wire::Request{kPage, 400, Access::kWrite, true, 9},
          wire::Fetch{kPage, 3, 60, Access::kWrite, NodeId{1}, kTxn, 9, 2, true, true},
          wire::Data{kPage, 3, Access::kWrite, kTxn, 9, 2, false, true, true},
          wire::Invalidate{kPage, 1, kTxn},
          wire::InvalidateAck{kPage, kTxn, true},
          wire::Grant{kPage, 300, Access::kWrite, kTxn, 4, 5, true},
          wire::Done{kPage, 2, Access::kWrite, kTxn, true, true},
          wire::Release{kPage, 2, kTxn},
          wire::Refuse{kPage, 2, wire::RefuseReason::kUnmapped},
          wire::Evict{kPage, NodeId{0}, 3},
          wire::OpenBlock{kPage.block()},
          info,
          wire::RangeQuiesce{RangeId{1}, {PageNo{0}, uint64_t{1} << 35}, 4, wire::RangeOp::kDrop},
          wire::RangeQuiesced{RangeId{1}, everybody},
          wire::RangeDrop{RangeId{1}, {PageNo{0}, uint64_t{1} << 35}, 400},
          wire::RangeDropped{RangeId{1}},
          wire::RangeResume{RangeId{1}, wire::RangeOp::kDrop},
          wire::ShardFreeze{ShardId{1}, NodeId{0}, 30},
          report,
          install};
}

// The same with one field that no message may have; an empty list entry where every value is possible.
std::vector<std::pair<size_t, Message>> out_of_bounds() {
  wire::ShardReport report{};
  report.entries = wire::ShardReport::kMaxEntries + 1;
  wire::ShardInstall install{};
  install.verdicts = 60000;
  return {{0, wire::Request{kPage, 508, Access::kWrite, true, 9}},
          {1, wire::Fetch{kNowhere, 1, 0, Access::kWrite, NodeId{1}, kTxn, 9, 2, true}},
          {2, wire::Data{kPage, 0, Access::kWrite, kTxn, 9, 2, true, true, true}},
          {3, wire::Invalidate{kNowhere, 1, kTxn}},
          {4, wire::InvalidateAck{kNowhere, kTxn, true}},
          {5, wire::Grant{kPage, 300, Access{0}, kTxn, 4, 5, true}},
          {6, wire::Done{kPage, 510, Access::kWrite, kTxn, true, true}},
          {7, wire::Release{kPage, 0, kTxn}},
          {8, wire::Refuse{kPage, 2, wire::RefuseReason{0}}},
          {9, wire::Evict{kPage, NodeId{60000}, 3}},
          {10, wire::OpenBlock{BlockNo{~uint64_t{0}}}},
          {11, wire::BlockInfo{BlockNo{~uint64_t{0}}, {}, {}, {}, {}, {}, {}}},
          {12, wire::RangeQuiesce{RangeId{1}, {kNowhere, 1}, 4, wire::RangeOp::kDrop}},
          {14, wire::RangeDrop{RangeId{1}, {PageNo{0}, ~uint64_t{0}}, 4}},
          {16, wire::RangeResume{RangeId{1}, wire::RangeOp{99}}},
          {17, wire::ShardFreeze{ShardId{1}, NodeId{0}, 1u << 20}},
          {18, report},
          {19, install}};
}

std::vector<std::byte> framed(std::span<const std::byte> header, size_t payload, uint32_t header_bytes, uint32_t payload_bytes) {
  const transport::FrameHead head{header_bytes, payload_bytes};
  std::vector<std::byte> bytes(sizeof head + header.size() + payload, std::byte{0x5a});
  std::memcpy(bytes.data(), &head, sizeof head);
  if (!header.empty()) std::memcpy(bytes.data() + sizeof head, header.data(), header.size());
  return bytes;
}
std::vector<std::byte> framed(std::span<const std::byte> header, size_t payload = 0) {
  return framed(header, payload, static_cast<uint32_t>(header.size()), static_cast<uint32_t>(payload));
}

std::vector<std::byte> protocol(const Message& message, uint16_t from, uint16_t to) {
  std::vector<std::byte> bytes(1 + wire::kMaxHeaderBytes);
  bytes[0] = static_cast<std::byte>(agent::FrameKind::kProtocol);
  bytes.resize(1 + wire::encode_unchecked({NodeId{from}, NodeId{to}, message}, std::span(bytes).subspan(1)));
  return bytes;
}

size_t payload_of(const Message& m) { return wire::payload_pages(m) * kPageBytes; }

std::vector<std::byte> as_it_is(const Attack& a, uint16_t from, uint16_t to) {
  const Message m = samples()[a.message];
  return framed(protocol(m, from, to), payload_of(m));
}
std::vector<std::byte> truncated(const Attack& a, uint16_t from, uint16_t to) {
  auto header = protocol(samples()[a.message], from, to);
  header.pop_back();
  return framed(header);
}
std::vector<std::byte> oversized(const Attack& a, uint16_t from, uint16_t to) {
  auto header = protocol(samples()[a.message], from, to);
  header.resize(header.size() + 3);
  return framed(header);
}
std::vector<std::byte> beyond_bounds(const Attack& a, uint16_t from, uint16_t to) {
  for (const auto& [index, message] : out_of_bounds())
    if (index == a.message) return framed(protocol(message, from, to), payload_of(message));
  give_up("no such message");
}
std::vector<std::byte> of_another(const Attack& a, uint16_t, uint16_t to) {
  const Message m = samples()[a.message];
  return framed(protocol(m, /*from=*/to == 0 ? 1 : 0, to), payload_of(m));
}
std::vector<std::byte> wrong_payload(const Attack& a, uint16_t from, uint16_t to) {
  return framed(protocol(samples()[a.message], from, to), 100);
}
std::vector<std::byte> noise(const Attack& a, uint16_t, uint16_t) {
  std::mt19937_64 random(a.message);
  std::vector<std::byte> bytes(64 + random() % 3000);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}
std::vector<std::byte> noise_in_frames(const Attack& a, uint16_t from, uint16_t to) {
  std::mt19937_64 random(a.message);
  std::vector<std::byte> header = protocol(samples()[a.message % samples().size()], from, to);
  for (size_t i = 6; i < header.size(); ++i) header[i] = static_cast<std::byte>(random());
  return framed(header);
}
std::vector<std::byte> empty_header(const Attack&, uint16_t, uint16_t) { return framed({}, 0, 0, 0); }
std::vector<std::byte> huge_header(const Attack&, uint16_t, uint16_t) { return framed({}, 64, 1u << 30, 0); }
std::vector<std::byte> huge_payload(const Attack&, uint16_t, uint16_t) { return framed({}, 64, 8, 0xffffffff); }
std::vector<std::byte> unknown_frame(const Attack&, uint16_t, uint16_t) {
  const std::byte kind{200};
  return framed({&kind, 1});
}
std::vector<std::byte> mesh_complete() {
  const std::byte kind{static_cast<std::byte>(agent::FrameKind::kMeshComplete)};
  return framed({&kind, 1});
}
std::vector<std::byte> mesh_complete_again(const Attack&, uint16_t, uint16_t) { return mesh_complete(); }

}  // namespace

std::vector<Attack> all_attacks() {
  using Outcome = Attack::Outcome;
  std::vector<Attack> all;
  const auto messages = samples();
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string text = wire::to_string(messages[i]), name = text.substr(0, text.find('{'));
    const bool data = wire::channel_class(messages[i]) == wire::ChannelClass::kData;
    all.push_back({name + "_truncated", data, truncated, Outcome::kClosed, i});
    all.push_back({name + "_oversized", data, oversized, Outcome::kClosed, i});
    all.push_back({name + "_of_another_node", data, of_another, Outcome::kClosed, i});
    all.push_back({name + "_on_the_wrong_connection", !data, as_it_is, data ? Outcome::kClosed : Outcome::kAny, i});
    all.push_back({name + "_out_of_order", data, as_it_is, Outcome::kAny, i});
  }
  for (const auto& [i, message] : out_of_bounds()) {
    const std::string text = wire::to_string(messages[i]);
    all.push_back({text.substr(0, text.find('{')) + "_out_of_range", wire::channel_class(message) == wire::ChannelClass::kData,
                   beyond_bounds, Outcome::kClosed, i});
  }
  all.push_back({"data_with_a_wrong_payload", true, wrong_payload, Outcome::kClosed, 2});
  all.push_back({"frame_without_header", false, empty_header});
  all.push_back({"frame_with_a_huge_header", false, huge_header});
  all.push_back({"frame_with_a_huge_payload", true, huge_payload});
  all.push_back({"frame_of_unknown_kind", false, unknown_frame});
  all.push_back({"mesh_complete_again", false, mesh_complete_again});
  for (size_t seed = 1; seed <= 4; ++seed) {
    all.push_back({"noise_" + std::to_string(seed), seed % 2 == 0, noise, Outcome::kClosed, seed});
    all.push_back({"noise_in_a_frame_" + std::to_string(seed), false, noise_in_frames, Outcome::kClosed, seed});
  }
  return all;
}

HostilePeer::HostilePeer() = default;
HostilePeer::~HostilePeer() = default;
HostilePeer::HostilePeer(HostilePeer&&) noexcept = default;

void HostilePeer::connect(const transport::Endpoint& at, unsigned node, unsigned agent, const JobOptions& job) {
  using namespace transport;
  node_ = node;
  agent_ = agent;
  const Secret secret = Job::secret();
  if (job.encrypt == "on") authenticator_ = std::make_unique<TlsAuthenticator>(secret);
  else authenticator_ = std::make_unique<HmacAuthenticator>(secret);
  const Membership member{NodeId{static_cast<uint16_t>(node)}, static_cast<uint16_t>(job.nodes), job_tag(Job::kName), 0,
                          authenticator_->protection()};
  auto reactor = os::make_reactor();
  for (int i = 0; i < 2; ++i) {
    auto socket = os::tcp_connect({at.address, at.port});
    if (!reactor || !socket) give_up("cannot reach the agent");
    std::string wrong = "no answer in time";
    bool done = false;
    Handshake shake(**reactor, *authenticator_, std::move(*socket),
                    member.hello_to(NodeId{static_cast<uint16_t>(agent)}, i == 0 ? Purpose::kMessages : Purpose::kData), {},
                    os::now_ns() + 5'000'000'000, [&](Handshake&, Result<Handshake::Outcome> outcome) {
                      done = true;
                      wrong = outcome ? "" : outcome.error().what;
                      if (!outcome) return;
                      link_[i].fd = std::move(outcome->fd);
                      if (outcome->cipher) link_[i].sealed = std::make_unique<SealedStream>(std::move(outcome->cipher));
                    });
    for (const TimeNs end = os::now_ns() + 5'000'000'000; !done && os::now_ns() < end;) (*reactor)->run(10'000'000);
    if (!wrong.empty()) give_up("hostile node " + std::to_string(node) + ": " + wrong);
  }
}

void HostilePeer::say_mesh_complete() { send(link_[0], mesh_complete()); }

void HostilePeer::attack(const Attack& attack) {
  send(link_[attack.on_data ? 1 : 0], attack.bytes(attack, static_cast<uint16_t>(node_), static_cast<uint16_t>(agent_)));
}

void HostilePeer::send(Link& link, std::span<const std::byte> bytes) {
  uint64_t sent = 0, calls = 0;
  if (!link.sealed) {
    os::send_now(link.fd.get(), bytes);  // the agent may close before it has taken all
    return;
  }
  const transport::Bytes parts[] = {bytes};
  if (!link.sealed->seal(parts)) give_up("cannot encrypt");
  link.sealed->flush(link.fd.get(), &sent, &calls);
}

bool HostilePeer::closed_within(int milliseconds) {
  const TimeNs end = os::now_ns() + TimeNs(milliseconds) * 1'000'000;
  for (;;) {
    std::byte bytes[4096];
    const long n = os::receive_now(link_[0].fd.get(), bytes);
    if (n == 0 || (n < 0 && n != -EAGAIN)) return true;
    const TimeNs now = os::now_ns();
    if (now >= end) return false;
    pollfd wait{link_[0].fd.get(), POLLIN, 0};
    if (n < 0) ::poll(&wait, 1, static_cast<int>((end - now) / 1'000'000) + 1);
  }
}

std::vector<uint64_t> places_hosted_below(unsigned limit, unsigned nodes, uint64_t start, uint64_t bytes) {
  const auto map = pagedir::ShardMap::uniform(nodes);
  std::vector<uint64_t> places;
  for (uint64_t at = start; at < start + bytes; at += kPagesPerBlock * kPageBytes)
    if (map.host_of(page_of(at)).value < limit) places.push_back(at + 3 * kPageBytes);
  return places;
}

}  // namespace agent_pair
