// SPDX-License-Identifier: Apache-2.0
#include "pagedir/directory_service.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::pagedir {

DirectoryService::DirectoryService(const DirectoryConfig& config, const ShardMap& map) : config_(config), map_(map) {
  slot_.resize(map.shards());
  for (uint16_t s = 0; s < map.shards(); ++s)
    if (map.host_of(ShardId{s}) == config.self) host(ShardId{s}, /*epoch=*/1);
}

const DirectoryService::Hosted* DirectoryService::find(ShardId id) const {
  return id.value < slot_.size() && slot_[id.value] != 0 ? &hosted_[slot_[id.value] - 1u] : nullptr;
}
DirectoryService::Hosted* DirectoryService::find(ShardId id) {
  return const_cast<Hosted*>(static_cast<const DirectoryService*>(this)->find(id));
}

// The shard of the page, if it is here and in service.
Shard* DirectoryService::serving(PageNo page) {
  Hosted* h = find(map_.shard_of(page));
  return h != nullptr && !h->recovery ? &h->shard : nullptr;
}

DirectoryService::Hosted& DirectoryService::host(ShardId id, uint32_t epoch) {
  if (Hosted* old = find(id)) {
    old->shard = Shard(config_, epoch);
    return *old;
  }
  hosted_.push_back(Hosted{id, Shard(config_, epoch), std::nullopt});
  slot_[id.value] = static_cast<uint16_t>(hosted_.size());
  return hosted_.back();
}

std::optional<wire::ProtocolError> DirectoryService::on_message(const wire::Envelope& e, TimeNs now, Sends& out) {
  const Complaint complaint = dispatch(e, now, out);
  if (!ranges_.empty()) answer_quiet_ranges(out);
  if (complaint == nullptr) return std::nullopt;
  return wire::ProtocolError{e.src, complaint};
}

// Messages for a shard that is not here, or not yet, are of a time before it was lost: their senders ask again.
DirectoryService::Complaint DirectoryService::dispatch(const wire::Envelope& e, TimeNs now, Sends& out) {
  if (e.src.value >= config_.nodes) return "unknown node";
  return std::visit(
      [&]<class M>(const M& m) -> Complaint {
        if constexpr (std::is_same_v<M, wire::RangeQuiesce>) {
          return on_range_quiesce(e.src, m, now, out);
        } else if constexpr (std::is_same_v<M, wire::RangeResume>) {
          return on_range_resume(e.src, m, now, out);
        } else if constexpr (std::is_same_v<M, wire::ShardReport>) {
          return on_report(e.src, m, now, out);
        } else if constexpr (std::is_same_v<M, wire::BlockInfo>) {
          Shard* shard = serving(first_page(m.block));
          return shard == nullptr ? nullptr : shard->on_block_info(e.src, m, now, out);
        } else if constexpr (requires(Shard& s) { s.take(e.src, m, now, out); }) {
          Shard* shard = serving(m.page);
          return shard == nullptr ? nullptr : shard->take(e.src, m, now, out);
        } else {
          return "message that no directory takes";
        }
      },
      e.message);
}

DirectoryService::Complaint DirectoryService::on_range_quiesce(NodeId src, const wire::RangeQuiesce& m, TimeNs now, Sends& out) {
  if (src != kOrigin) return "range transaction from a node that is not the origin";
  auto known = std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.message.id == m.id; });
  // Asked again: a shard was lost and is rebuilt here.
  if (known != ranges_.end()) known->answered = false;
  else ranges_.push_back(Range{m});
  for (Hosted& h : hosted_)
    if (!h.recovery) h.shard.begin_range(m, now, out);
  return nullptr;
}

DirectoryService::Complaint DirectoryService::on_range_resume(NodeId src, const wire::RangeResume& m, TimeNs now, Sends& out) {
  if (src != kOrigin) return "range transaction from a node that is not the origin";
  std::erase_if(ranges_, [&](const Range& r) { return r.message.id == m.id; });
  for (Hosted& h : hosted_)
    if (!h.recovery) h.shard.end_range(m.id, now, out);
  return nullptr;
}

void DirectoryService::answer_quiet_ranges(Sends& out) {
  for (Range& r : ranges_) {
    if (r.answered) continue;
    wire::RangeQuiesced answer{r.message.id, {}};
    const bool quiet = std::all_of(hosted_.begin(), hosted_.end(), [&](const Hosted& h) {
      if (h.recovery || !h.shard.range_quiet(r.message.id)) return false;
      answer.holders |= h.shard.range_holders(r.message.id);
      return true;
    });
    if (!quiet) continue;
    r.answered = true;
    out.push_back({kOrigin, answer});
  }
}

void DirectoryService::adopt(ShardId id, uint32_t epoch, const wire::NodeSet& nodes, TimeNs, Sends& out) {
  DSM_CHECK(id.value < slot_.size());
  Hosted& h = host(id, epoch);
  h.recovery.emplace(id, epoch, nodes);
  h.recovery->freeze(config_.self, out);
}

void DirectoryService::forget(ShardId id) {
  Hosted* h = find(id);
  if (h == nullptr) return;
  const size_t gone = static_cast<size_t>(h - hosted_.data());
  hosted_.erase(hosted_.begin() + static_cast<std::ptrdiff_t>(gone));
  if (hosted_.empty()) ranges_.clear();  // nobody asks a host without shards
  std::fill(slot_.begin(), slot_.end(), uint16_t{0});
  for (size_t i = 0; i < hosted_.size(); ++i) slot_[hosted_[i].id.value] = static_cast<uint16_t>(i + 1);
}

DirectoryService::Complaint DirectoryService::on_report(NodeId src, const wire::ShardReport& m, TimeNs now, Sends& out) {
  Hosted* h = find(m.shard);
  if (h == nullptr || !h->recovery) return nullptr;
  if (Complaint complaint = h->recovery->on_report(src, m)) return complaint;
  if (!h->recovery->complete()) return nullptr;
  Recovery recovery = *std::move(h->recovery);
  h->recovery.reset();
  recovery.rebuild(h->shard, config_.mutation, out);
  for (const Range& r : ranges_) h->shard.begin_range(r.message, now, out);
  return nullptr;
}

bool DirectoryService::rebuilding(ShardId id) const {
  const Hosted* h = find(id);
  return h != nullptr && h->recovery.has_value();
}

std::vector<HotPage> DirectoryService::hottest(size_t n) const {
  std::vector<HotPage> pages;
  for (const Hosted& h : hosted_) h.shard.add_hot_pages(pages);
  const size_t kept = std::min(n, pages.size());
  std::partial_sort(pages.begin(), pages.begin() + static_cast<std::ptrdiff_t>(kept), pages.end(),
                    [](const HotPage& a, const HotPage& b) { return a.moves != b.moves ? a.moves > b.moves : a.page < b.page; });
  pages.resize(kept);
  return pages;
}

PageView DirectoryService::view(PageNo page) const {
  const Hosted* h = find(map_.shard_of(page));
  return h == nullptr ? PageView{} : h->shard.view(page);
}

bool DirectoryService::hosts(ShardId id) const { return find(id) != nullptr; }

bool DirectoryService::idle() const {
  return ranges_.empty() &&
         std::all_of(hosted_.begin(), hosted_.end(), [](const Hosted& h) { return !h.recovery && h.shard.idle(); });
}

size_t DirectoryService::memory_bytes() const {
  size_t n = sizeof *this;
  for (const Hosted& h : hosted_) n += h.shard.memory_bytes();
  return n;
}

uint64_t DirectoryService::tracked_pages() const {
  uint64_t n = 0;
  for (const Hosted& h : hosted_) n += h.shard.tracked_pages();
  return n;
}

void DirectoryService::digest(Hasher& out) const {
  for (const Hosted& h : hosted_) {
    Hasher e = out.element();
    e.add(h.id.value);
    e.add_id(kTransactionIds, h.shard.next_transaction().value);
    h.shard.digest(e);
    if (h.recovery) h.recovery->digest(e);
    out.add_unordered(e);
  }
  for (const Range& r : ranges_) {
    out.add(r.message.id.value);
    out.add(r.answered);
  }
}

}  // namespace dsm::pagedir
