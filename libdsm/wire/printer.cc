// SPDX-License-Identifier: Apache-2.0
// One line of text for each message, for traces and logs.
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "libdsm/wire/messages.h"

namespace dsm::wire {
namespace {

__attribute__((format(printf, 1, 2))) std::string print(const char* format, ...) {
  char text[256];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return text;
}

const char* name(Access a) { return a == Access::kRead ? "read" : "write"; }
const char* name(RangeOp op) {
  return op == RangeOp::kDrop ? "drop" : op == RangeOp::kRecallShared ? "recall-shared" : "recall-exclusive";
}
const char* name(RefuseReason r) {
  switch (r) {
    case RefuseReason::kUnmapped: return "unmapped";
    case RefuseReason::kProtection: return "protection";
    case RefuseReason::kBusError: return "beyond the file";
    case RefuseReason::kPinned: return "pinned";
  }
  return "?";
}
const char* flag(bool set, const char* text) { return set ? text : ""; }

struct Printer {
  std::string operator()(const Request& m) const {
    return print("Request{%#" PRIx64 "+%u %s%s req=%" PRIu64 "}", m.page.value, m.count, name(m.access),
                 flag(m.has_copy, " has_copy"), m.req);
  }
  std::string operator()(const Fetch& m) const {
    return print("Fetch{%#" PRIx64 "+%u holes=%u %s for=%u txn=%#" PRIx64 " req=%" PRIu64 " v=%u%s%s}", m.page.value, m.count,
                 m.hole_count, name(m.access), m.requester.value, m.txn.value, m.req, m.version, flag(m.final, " final"), flag(m.may_move, " may-move"));
  }
  std::string operator()(const Data& m) const {
    return print("Data{%#" PRIx64 "+%u %s txn=%#" PRIx64 " req=%" PRIu64 " v=%u%s%s%s}", m.page.value, m.count,
                 name(m.granted), m.txn.value, m.req, m.version, flag(m.zero, " zero"), flag(m.final, " final"),
                 flag(m.deferred, " deferred"));
  }
  std::string operator()(const Invalidate& m) const {
    return print("Invalidate{%#" PRIx64 "+%u txn=%#" PRIx64 "}", m.page.value, m.count, m.txn.value);
  }
  std::string operator()(const InvalidateAck& m) const {
    return print("InvalidateAck{%#" PRIx64 " txn=%#" PRIx64 "%s}", m.page.value, m.txn.value, flag(m.deferred, " deferred"));
  }
  std::string operator()(const Grant& m) const {
    return print("Grant{%#" PRIx64 "+%u %s txn=%#" PRIx64 " req=%" PRIu64 " v=%u%s}", m.page.value, m.count, name(m.access),
                 m.txn.value, m.req, m.version, flag(m.zero, " zero"));
  }
  std::string operator()(const Done& m) const {
    return print("Done{%#" PRIx64 "+%u %s txn=%#" PRIx64 "%s}", m.page.value, m.count, name(m.granted), m.txn.value,
                 flag(m.zero, " zero"));
  }
  std::string operator()(const Release& m) const {
    return print("Release{%#" PRIx64 "+%u txn=%#" PRIx64 "}", m.page.value, m.count, m.txn.value);
  }
  std::string operator()(const Refuse& m) const {
    return print("Refuse{%#" PRIx64 " req=%" PRIu64 " %s}", m.page.value, m.req, name(m.reason));
  }
  std::string operator()(const Evict& m) const {
    return print("Evict{%#" PRIx64 " to=%u req=%" PRIu64 "}", m.page.value, m.to.value, m.req);
  }
  std::string operator()(const OpenBlock& m) const { return print("OpenBlock{%#" PRIx64 "}", m.block.value); }
  std::string operator()(const BlockInfo& m) const {
    return print("BlockInfo{%#" PRIx64 " present=%u readable=%u writable=%u pinned=%u}", m.block.value, m.present.count(),
                 m.readable.count(), m.writable.count(), m.pinned.count());
  }
  std::string operator()(const RangeQuiesce& m) const {
    return print("RangeQuiesce{id=%" PRIu64 " %#" PRIx64 "+%" PRIu64 " v=%u %s}", m.id.value, m.range.first.value,
                 m.range.count, m.version, name(m.op));
  }
  std::string operator()(const RangeQuiesced& m) const {
    return print("RangeQuiesced{id=%" PRIu64 " holders=%u}", m.id.value, m.holders.size());
  }
  std::string operator()(const RangeDrop& m) const {
    return print("RangeDrop{id=%" PRIu64 " %#" PRIx64 "+%" PRIu64 " v=%u}", m.id.value, m.range.first.value, m.range.count,
                 m.version);
  }
  std::string operator()(const RangeDropped& m) const { return print("RangeDropped{id=%" PRIu64 "}", m.id.value); }
  std::string operator()(const RangeResume& m) const { return print("RangeResume{id=%" PRIu64 " %s}", m.id.value, name(m.op)); }
  std::string operator()(const ShardFreeze& m) const {
    return print("ShardFreeze{shard=%u host=%u epoch=%u}", m.shard.value, m.host.value, m.epoch);
  }
  std::string operator()(const ShardReport& m) const {
    return print("ShardReport{shard=%u epoch=%u entries=%u%s}", m.shard.value, m.epoch, m.entries, flag(m.last, " last"));
  }
  std::string operator()(const ShardInstall& m) const {
    return print("ShardInstall{shard=%u epoch=%u verdicts=%u%s}", m.shard.value, m.epoch, m.verdicts, flag(m.last, " last"));
  }
};

}  // namespace

std::string to_string(const Message& message) { return std::visit(Printer{}, message); }

std::string to_string(const Envelope& envelope) {
  return print("%u>%u ", envelope.src.value, envelope.dst.value) + to_string(envelope.message);
}

}  // namespace dsm::wire
