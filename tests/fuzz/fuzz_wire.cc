// SPDX-License-Identifier: Apache-2.0
// What a peer can send on an established connection: frames and the messages in them. The first byte says how the stream
// is cut into pieces; however it is cut, and whichever of the two ways it takes into the FrameReader, the same frames come out.
#include <algorithm>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/transport/frame_reader.h"
#include "libdsm/wire/codec.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace dsm;
using transport::Bytes;

class Collector final : public transport::FrameSink {
 public:
  explicit Collector(bool places) : places_(places) {}
  Status place(Bytes, uint64_t size, transport::Places& places) override {
    if (!places_) return success();
    memory_.assign(size, std::byte{0});
    places.push_back(std::span(memory_).first(size / 2));
    places.push_back(std::span(memory_).subspan(size / 2));
    return success();
  }
  Status deliver(Bytes header, const transport::Payload& payload) override {
    seen.append(reinterpret_cast<const char*>(header.data()), header.size());
    const Bytes bytes = payload.placed ? Bytes(memory_) : payload.bytes;
    DSM_CHECK(bytes.size() == payload.size);
    seen.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    auto envelope = wire::decode(header);
    if (!envelope) return success();  // the agent would close; here the stream goes on
    std::byte again[wire::kMaxHeaderBytes];
    DSM_CHECK(wire::encode(*envelope, again) == header.size());
    DSM_CHECK(!wire::to_string(*envelope).empty() && wire::payload_pages(envelope->message) <= kPagesPerBlock);
    return success();
  }
  std::string seen;

 private:
  const bool places_;
  std::vector<std::byte> memory_;
};

constexpr transport::FrameLimits kLimits{1024, 3 * 4096};

// Whether the stream was good to its end.
bool by_feed(Bytes stream, size_t piece, Collector& into) {
  transport::FrameReader reader(into, kLimits);
  for (; !stream.empty(); stream = stream.subspan(std::min(piece, stream.size())))
    if (!reader.feed(stream.first(std::min(piece, stream.size())))) return false;
  return true;
}
bool by_receive(Bytes stream, size_t piece, Collector& into) {
  transport::FrameReader reader(into, kLimits);
  while (!stream.empty()) {
    const auto space = reader.space();
    const size_t n = std::min({space.size(), piece, stream.size()});
    std::memcpy(space.data(), stream.data(), n);
    stream = stream.subspan(n);
    if (!reader.received(n)) return false;
  }
  return true;
}

void add_frame(std::string& to, const std::string& header, size_t payload) {
  const transport::FrameHead head{static_cast<uint32_t>(header.size()), static_cast<uint32_t>(payload)};
  to.append(reinterpret_cast<const char*>(&head), sizeof head).append(header).append(payload, 'p');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const size_t piece = 1 + size_t{data[0]} * 7;
  const Bytes stream = std::as_bytes(std::span(data + 1, size - 1));
  (void)wire::decode(stream);
  Collector whole(false), pieces(true), received(true);
  const bool good = by_feed(stream, stream.size(), whole);
  DSM_CHECK(by_feed(stream, piece, pieces) == good && pieces.seen == whole.seen);
  DSM_CHECK(by_receive(stream, piece, received) == good && received.seen == whole.seen);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  using namespace wire;
  const PageNo page{4711};
  ShardReport report{};
  report.entries = 2;
  report.entry[0] = {page, TxnId{3}, 1, 4, ReportEntry::Kind::kSent};
  report.entry[1] = {page, TxnId{3}, 1, 1, ReportEntry::Kind::kShared};
  ShardInstall install{};
  install.verdicts = 1;
  install.verdict[0] = {page, Verdict::Kind::kForgetSent};
  const Message messages[] = {
      Request{page, 2, Access::kRead, false, 1}, Fetch{page, 2, 3, Access::kWrite, NodeId{2}, TxnId{1}, 4, 5, true, true},
      Data{page, 2, Access::kRead, TxnId{1}, 4, 5}, Invalidate{page, 2, TxnId{1}}, InvalidateAck{page, TxnId{1}, true},
      Grant{page, 1, Access::kWrite, TxnId{1}, 4, 5, false}, Done{page, 1, Access::kWrite, TxnId{1}, false, false},
      Release{page, 1, TxnId{1}}, Refuse{page, 4, RefuseReason::kPinned}, Evict{page, NodeId{1}, 0}, OpenBlock{page.block()},
      BlockInfo{page.block(), BlockBits::all(), {}, {}, {}, {}, {}}, RangeQuiesce{RangeId{1}, {page, 9}, 2, RangeOp::kDrop},
      RangeQuiesced{RangeId{1}, {}}, RangeDrop{RangeId{1}, {page, 9}, 2}, RangeDropped{RangeId{1}},
      RangeResume{RangeId{1}, RangeOp::kDrop}, ShardFreeze{ShardId{1}, NodeId{2}, 3}, report, install};
  std::vector<std::string> seeds;
  std::string all(1, '\x05');
  for (const Message& m : messages) {
    std::byte bytes[kMaxHeaderBytes];
    const size_t n = encode({NodeId{1}, NodeId{0}, m}, bytes);
    const std::string header(reinterpret_cast<const char*>(bytes), n);
    seeds.push_back(std::string(1, '\x01') + header);
    add_frame(all, header, payload_pages(m) * 4096 % (2 * 4096 + 1));
  }
  seeds.push_back(all);
  return seeds;
}
