// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/protocol/small_cluster.h"

#include <array>

#include "libdsm/base/check.h"
#include "libdsm/wire/codec.h"

namespace dsm::test {

using namespace coherence;

CacheConfig SmallCluster::quiet() {
  CacheConfig c;
  c.hold_ns = 0;
  c.lease.mode = LeaseMode::kOff;
  c.prefetch_max = 1;
  c.zero_batch_max = 1;
  return c;
}

SmallCluster::SmallCluster(unsigned n, CacheConfig base) : nodes(n), map(pagedir::ShardMap::uniform(n)), memory(n), sent(n) {
  for (unsigned i = 0; i < n; ++i) {
    base.self = NodeId{static_cast<uint16_t>(i)};
    base.nodes = n;
    cache.emplace_back(base, map);
    directory.emplace_back(pagedir::DirectoryConfig{base.self, n, base.mutation}, map);
  }
}

bool SmallCluster::access(unsigned node, PageNo page, Access kind, int thread) {
  for (int tries = 0; tries < 6; ++tries) {
    Frame& f = memory[node][page.value];
    if (node == 0 && !opened_[page.block().value]) {
      f.present = true;
      f.rights = 2;
    }
    if (f.rights >= static_cast<unsigned>(kind)) return true;
    const size_t before = refused.size();
    fault(node, page, kind, thread);
    settle();
    if (refused.size() != before) return false;
  }
  return false;
}

bool SmallCluster::load(unsigned node, PageNo page, uint64_t* value, int thread) {
  if (!access(node, page, Access::kRead, thread)) return false;
  if (value != nullptr) *value = memory[node][page.value].content;
  return true;
}
bool SmallCluster::store(unsigned node, PageNo page, uint64_t value, int thread) {
  if (!access(node, page, Access::kWrite, thread)) return false;
  memory[node][page.value].content = value;
  return true;
}
void SmallCluster::native_write(PageNo page, uint64_t value) { memory[0][page.value] = Frame{true, 2, value}; }

void SmallCluster::fault(unsigned node, PageNo page, Access kind, int thread) {
  Actions out;
  cache[node].on_fault({page, kind, ThreadId{thread}, page.address()}, now, out);
  execute(node, out, nullptr);
}

void SmallCluster::post(unsigned src, NodeId dst, const wire::Message& m, std::vector<uint64_t> payload) {
  const wire::Envelope e{NodeId{static_cast<uint16_t>(src)}, dst, m};
  std::array<std::byte, wire::kMaxHeaderBytes> bytes;  // what is sent must be what can be received
  DSM_CHECK(wire::decode(std::span(bytes).first(wire::encode(e, bytes))).ok());
  log.push_back(wire::to_string(e));
  queue_.push_back({e, std::move(payload)});
}

void SmallCluster::inject(const wire::Envelope& e) {
  deliver({e, std::vector<uint64_t>(wire::payload_pages(e.message), 0xbad)});
}

bool SmallCluster::step() {
  if (queue_.empty()) return false;
  const Parcel parcel = queue_.front();
  queue_.pop_front();
  deliver(parcel);
  return true;
}
void SmallCluster::settle() {
  for (int i = 0; i < 100000 && step(); ++i) {
  }
}

void SmallCluster::deliver(const Parcel& p) {
  const unsigned node = p.envelope.dst.value;
  if (wire::is_for_directory(p.envelope.message)) {
    pagedir::Sends sends;
    if (auto error = directory[node].on_message(p.envelope, now, sends)) errors.push_back(error->what);
    for (const auto& s : sends) post(node, s.dst, s.message, {});
    return;
  }
  Actions out;
  cache[node].on_message(p.envelope, now, out);
  execute(node, out, &p);
}

void SmallCluster::advance(TimeNs ns) {
  const TimeNs end = now + ns;
  while (true) {
    unsigned node = nodes;
    TimeNs first = end;
    for (unsigned i = 0; i < nodes; ++i)
      if (auto at = cache[i].next_deadline(); at && *at <= first) {
        first = *at;
        node = i;
      }
    if (node == nodes) break;
    now = std::max(now, first);
    Actions out;
    cache[node].on_timer(now, out);
    execute(node, out, nullptr);
    settle();
  }
  now = end;
}

void SmallCluster::answer_block(unsigned node, BlockNo block, bool open) {
  wire::BlockInfo info{};
  info.block = block;
  info.readable = readable;
  info.writable = writable;
  info.pinned = pinned;
  info.mapped = readable;
  for (unsigned i = 0; i < kPagesPerBlock; ++i) {
    auto f = memory[node].find((first_page(block) + i).value);
    if (f != memory[node].end() && f->second.present) info.present.set(i);
  }
  if (open) opened_[block.value] = true;
  Actions out;
  cache[node].on_block_presence(block, info, now, out);
  execute(node, out, nullptr);
}

void SmallCluster::execute(unsigned node, Actions& actions, const Parcel* parcel) {
  auto& mem = memory[node];
  auto for_pages = [&](PageNo page, uint64_t n, auto&& f) {
    for (uint64_t i = 0; i < n; ++i) f(page.value + i);
  };
  struct Run {
    SmallCluster& c;
    unsigned node;
    std::map<uint64_t, Frame>& mem;
    const Parcel* parcel;
    decltype(for_pages)& each;
    void operator()(const Send& a) {
      std::vector<uint64_t> payload;
      if (auto* m = std::get_if<FromMemory>(&a.payload)) each(m->page, m->count, [&](uint64_t p) { payload.push_back(mem[p].content); });
      if (auto* s = std::get_if<FromSent>(&a.payload)) each(s->page, s->count, [&](uint64_t p) { payload.push_back(c.sent[node].at(p)); });
      c.post(node, a.dst, a.message, std::move(payload));
    }
    void operator()(const InstallPayload& a) {
      const auto& data = std::get<wire::Data>(parcel->envelope.message);
      each(a.page, a.count, [&](uint64_t p) { mem[p] = Frame{true, 0, parcel->payload.at(p - data.page.value)}; });
    }
    void operator()(const MapPages& a) { each(a.page, a.count, [&](uint64_t p) { mem[p].rights = std::max(mem[p].rights, static_cast<unsigned>(a.access)); }); }
    void operator()(const ZeroFill& a) { each(a.page, a.count, [&](uint64_t p) { mem[p] = Frame{true, static_cast<unsigned>(a.access), 0}; }); }
    void operator()(const Unprotect& a) { each(a.page, a.count, [&](uint64_t p) { mem[p].rights = 2; }); }
    void operator()(const Protect& a) { each(a.page, a.count, [&](uint64_t p) { mem[p].rights = std::min(mem[p].rights, 1u); }); }
    void operator()(const CaptureSent& a) { each(a.page, a.count, [&](uint64_t p) { c.sent[node][p] = mem[p].content; }); }
    void operator()(const Zap& a) { std::erase_if(mem, [&](const auto& kv) { return kv.first - a.page.value < a.count; }); }
    void operator()(const RestoreSent& a) { mem[a.page.value] = Frame{true, 0, c.sent[node].at(a.page.value)}; }
    void operator()(const ForgetSent& a) { each(a.page, a.count, [&](uint64_t p) { c.sent[node].erase(p); }); }
    void operator()(const Wake&) {}
    void operator()(const RaiseFault& a) { c.refused.push_back(a.reason); }
    void operator()(const SamplePage& a) {
      if (c.sample_changes) ++c.sample;
      Actions out;
      c.cache[node].on_sample(a.page, c.sample, c.now, out);
      c.execute(node, out, nullptr);
    }
    void operator()(const OpenNative& a) { c.answer_block(node, a.block, true); }
    void operator()(const RefreshBlock& a) { c.answer_block(node, a.block, false); }
    void operator()(const RangeFinished& a) { c.finished.push_back(a.id.value); }
    void operator()(const ProtocolError& a) { c.errors.push_back(a.what); }
  };
  Run run{*this, node, mem, parcel, for_pages};
  for (const Action& a : actions) std::visit(run, a);
}

void SmallCluster::drop(PageRange range, wire::RangeOp op) {
  const RangeId id{next_range_++};
  Actions out;
  cache[0].drop_range(id, range, op, now, out);
  execute(0, out, nullptr);
  settle();
  if (op == wire::RangeOp::kDrop) return;
  out.clear();
  cache[0].resume_range(id, now, out);
  execute(0, out, nullptr);
  settle();
}

void SmallCluster::lose_shard(PageNo page, unsigned new_host) {
  const ShardId shard = map.shard_of(page);
  directory[map.host_of(shard).value].forget(shard);
  map.move(shard, NodeId{static_cast<uint16_t>(new_host)});
  wire::NodeSet all;
  for (unsigned i = 0; i < nodes; ++i) all.insert(NodeId{static_cast<uint16_t>(i)});
  pagedir::Sends sends;
  directory[new_host].adopt(shard, next_epoch_++, all, now, sends);
  for (const auto& s : sends) post(new_host, s.dst, s.message, {});
}

bool SmallCluster::quiet_now() const {
  for (const auto& d : directory)
    if (!d.idle()) return false;
  for (const auto& c : cache)
    if (c.transactions_in_flight()) return false;
  return queue_.empty() && errors.empty();
}

unsigned SmallCluster::count(const std::string& kind) const {
  unsigned n = 0;
  for (const std::string& line : log) n += line.find(" " + kind + "{") != std::string::npos;
  return n;
}

}  // namespace dsm::test
