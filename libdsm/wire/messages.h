// SPDX-License-Identifier: Apache-2.0
// The messages of the coherence protocol as plain values. docs/protocol.md says who sends what when; docs/interfaces.md
// has the one-line meanings. Everything here is trivially copyable: a message is copied, never shared.
//
// Channels are FIFO for each (source, destination, channel_class). A received message is hostile until the object that
// takes it has compared it with its own state.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>

#include "libdsm/base/ids.h"
#include "libdsm/wire/block_bits.h"
#include "libdsm/wire/node_set.h"

namespace dsm::wire {

// Rises with every range drop of the page; compared before a byte of an older life is written.
using Version = uint32_t;
// Unique for the node that asks, rising.
using RequestNo = uint64_t;

// Same numbers as abi::Refusal.
enum class RefuseReason : uint8_t { kUnmapped = 1, kProtection = 2, kBusError = 3, kPinned = 4 };

// What a range transaction does to the range once it is quiet.
enum class RangeOp : uint8_t {
  kDrop = 1,             // all content ends, everywhere
  kRecallShared = 2,     // the origin has the bytes of every page; others may keep read copies
  kRecallExclusive = 3,  // the origin has the bytes of every page; nobody else has any
};

// ---- Page transactions -----------------------------------------------------------------------------------------
struct Request {  // cache -> shard
  PageNo page;
  uint16_t count = 1;  // pages wanted, in one block; the shard may shorten the run
  Access access{};
  bool has_copy = false;  // this node holds the page Shared; the shard decides by its own set
  RequestNo req{};
};
struct Fetch {  // shard -> supplier
  PageNo page;
  uint16_t count = 1;       // pages wanted
  uint16_t hole_count = 0;  // if `page` is a hole: how many holes may be handed over for writing; 0: none may
  Access access{};
  NodeId requester{};
  TxnId txn{};
  RequestNo req{};
  Version version{};
  bool final = false;     // copied into Data
  bool may_move = false;  // read: an owner that expects the reader to write next may hand the pages over whole
};
struct Data {  // supplier -> requester; payload follows unless `zero`
  PageNo page;
  uint16_t count = 1;
  Access granted{};
  TxnId txn{};
  RequestNo req{};
  Version version{};
  bool zero = false;      // untouched memory: `count` holes, no payload
  bool final = false;     // no Grant will follow
  bool deferred = false;  // a lease made the requester wait
};
struct Invalidate {  // shard -> sharer
  PageNo page;
  uint16_t count = 1;  // pages from `page` on, given up together
  TxnId txn{};
};
struct InvalidateAck {  // sharer -> shard
  PageNo page;
  TxnId txn{};
  bool deferred = false;
};
struct Grant {  // shard -> requester
  PageNo page;
  uint16_t count = 1;
  Access access{};
  TxnId txn{};
  RequestNo req{};
  Version version{};
  bool zero = false;  // an extent of untouched memory
};
struct Done {  // requester -> shard
  PageNo page;
  uint16_t count = 1;  // installed prefix of the run; 0: nothing was
  Access granted{};
  TxnId txn{};
  bool zero = false;  // what was installed are holes
  bool deferred = false;
};
struct Release {  // shard -> supplier
  PageNo page;
  uint16_t count = 1;
  TxnId txn{};
};
struct Refuse {  // shard -> requester
  PageNo page;
  RequestNo req{};
  RefuseReason reason{};
};
struct Evict {  // cache -> shard
  PageNo page;
  NodeId to{};  // takes the last copy
  RequestNo req{};
};

// ---- Blocks and the address map --------------------------------------------------------------------------------
struct OpenBlock {  // shard -> origin
  BlockNo block;
};
struct BlockInfo {  // origin -> shard
  BlockNo block;
  BlockBits present;      // the memfd (or, for a file range, the file) has content
  BlockBits readable;     // granted for reading
  BlockBits writable;     // granted for writing
  BlockBits pinned;       // never granted
  BlockBits mapped;       // has a mapping at all: refused as kProtection instead of kUnmapped
  BlockBits beyond_file;  // mapped beyond the end of its file: kBusError
};

// ---- Range transactions ----------------------------------------------------------------------------------------
struct RangeQuiesce {  // origin -> directory hosts
  RangeId id;
  PageRange range;
  Version version{};
  RangeOp op{};
};
struct RangeQuiesced {  // directory host -> origin
  RangeId id;
  NodeSet holders;
};
struct RangeDrop {  // origin -> holders
  RangeId id;
  PageRange range;
  Version version{};
};
struct RangeDropped {  // holder -> origin
  RangeId id;
};
struct RangeResume {  // origin -> directory hosts
  RangeId id;
  RangeOp op{};
};

// ---- Rebuilding a lost shard -----------------------------------------------------------------------------------
// The new host freezes every cache for the shard, collects what they hold, decides, and lets them go on. Messages of an
// older epoch (the top bits of their TxnId) are discarded by a cache that was frozen, so nothing needs flushing.
struct ShardFreeze {  // new host -> every cache
  ShardId shard;
  NodeId host;
  uint32_t epoch{};
};
struct ReportEntry {
  enum class Kind : uint8_t { kShared = 1, kExclusive = 2, kHole = 3, kSent = 4, kNativeOpen = 5, kDropped = 6 };
  PageNo page;
  TxnId txn{};  // of the grant that brought it, or of the supply that took it
  Version version{};
  uint16_t count = 1;
  Kind kind{};
};
struct ShardReport {  // cache -> new host
  static constexpr unsigned kMaxEntries = 16;
  ShardId shard;
  uint32_t epoch{};
  Version version{};  // the highest the cache knows
  uint16_t entries = 0;
  bool last = false;
  std::array<ReportEntry, kMaxEntries> entry{};
};
struct Verdict {
  enum class Kind : uint8_t { kRestoreSent = 1, kForgetSent = 2 };  // kRestoreSent: Exclusive again
  PageNo page;
  Kind kind{};
};
struct ShardInstall {  // new host -> every cache: carry out the verdicts, then re-issue what is pending
  static constexpr unsigned kMaxVerdicts = 16;
  ShardId shard;
  uint32_t epoch{};
  uint16_t verdicts = 0;
  bool last = false;
  std::array<Verdict, kMaxVerdicts> verdict{};
};

using Message = std::variant<Request, Fetch, Data, Invalidate, InvalidateAck, Grant, Done, Release, Refuse, Evict, OpenBlock,
                             BlockInfo, RangeQuiesce, RangeQuiesced, RangeDrop, RangeDropped, RangeResume, ShardFreeze,
                             ShardReport, ShardInstall>;
static_assert(std::is_trivially_copyable_v<Message>);

struct Envelope {
  NodeId src;
  NodeId dst;
  Message message;
};

// A peer sent what it cannot have sent in this state; whoever drives the object closes that peer.
struct ProtocolError {
  NodeId peer;
  const char* what = "";
};

enum class ChannelClass : uint8_t { kControl = 0, kData = 1 };

// Which of the two objects of the destination takes it: pagedir::DirectoryService, else coherence::CacheController.
bool is_for_directory(const Message&);
// Data is a class of its own, with or without payload.
ChannelClass channel_class(const Message&);
// Pages of payload behind the header on the wire.
unsigned payload_pages(const Message&);
std::string to_string(const Message&);
std::string to_string(const Envelope&);

// The shard epoch that a transaction belongs to.
inline constexpr unsigned kTxnEpochShift = 48;
constexpr uint32_t epoch_of(TxnId txn) { return static_cast<uint32_t>(txn.value >> kTxnEpochShift); }

}  // namespace dsm::wire
