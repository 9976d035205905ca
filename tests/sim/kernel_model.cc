// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/kernel_model.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::sim {
namespace {

std::string at(const char* what, PageNo page) { return std::string(what) + " page " + std::to_string(page.value); }

template <class Rows>
auto lower(Rows& rows, PageNo page) {
  return std::lower_bound(rows.begin(), rows.end(), page, [](const auto& row, PageNo p) { return row.page < p; });
}

}  // namespace

NodeMemory::Slot* NodeMemory::find(PageNo page) {
  const auto it = lower(slots_, page);
  return it != slots_.end() && it->page == page ? &*it : nullptr;
}

const NodeMemory::Slot* NodeMemory::find(PageNo page) const { return const_cast<NodeMemory*>(this)->find(page); }

void NodeMemory::create(PageNo page, Token content, Mapping mapping) {
  slots_.insert(lower(slots_, page), Slot{page, content, mapping});
}

bool NodeMemory::native(BlockNo block) const {
  return origin_ && std::find(open_.begin(), open_.end(), block) == open_.end();
}

bool NodeMemory::would_fault(PageNo page, Access access) const {
  const Slot* slot = find(page);
  if (slot == nullptr) return !native(page.block());
  if (slot->mapping == Mapping::kWritable) return false;
  return slot->mapping == Mapping::kAbsent || access == Access::kWrite;
}

NodeMemory::Touch NodeMemory::touch(PageNo page, Access access) {
  if (would_fault(page, access)) return Touch::kFault;
  if (find(page) != nullptr) return Touch::kGranted;
  create(page, kZero, Mapping::kWritable);
  return Touch::kFilledNatively;
}

void NodeMemory::write(PageNo page, Token token) {
  Slot* slot = find(page);
  DSM_CHECK(slot != nullptr && slot->mapping == Mapping::kWritable);
  slot->content = token;
}

void NodeMemory::install(PageNo page, Token token, Failure& failure) {
  Slot* slot = find(page);
  if (slot == nullptr) return create(page, token, Mapping::kAbsent);
  if (slot->mapping != Mapping::kAbsent) return failure.report(at("payload written under a live mapping of", page));
  slot->content = token;
}

void NodeMemory::map(PageNo page, Access access, Failure& failure) {
  Slot* slot = find(page);
  if (slot == nullptr) return failure.report(at("CONTINUE over a hole (EFAULT),", page));
  const Mapping wanted = access == Access::kWrite ? Mapping::kWritable : Mapping::kReadOnly;
  if (slot->mapping != Mapping::kAbsent && slot->mapping != wanted)
    return failure.report(at("CONTINUE over a mapping of other rights (EEXIST),", page));
  slot->mapping = wanted;
}

void NodeMemory::zero_fill(PageNo page, Access access, Failure& failure) {
  if (find(page) != nullptr) return failure.report(at("ZEROPAGE over content (EEXIST),", page));
  create(page, kZero, access == Access::kWrite ? Mapping::kWritable : Mapping::kReadOnly);
}

void NodeMemory::unprotect(PageNo page, Failure& failure) {
  Slot* slot = find(page);
  if (slot == nullptr || slot->mapping == Mapping::kAbsent) return failure.report(at("Unprotect of an absent", page));
  slot->mapping = Mapping::kWritable;
}

void NodeMemory::protect(PageNo page, Failure& failure) {
  Slot* slot = find(page);
  if (slot == nullptr) return failure.report(at("Protect of a hole,", page));
  if (slot->mapping == Mapping::kWritable) slot->mapping = Mapping::kReadOnly;
}

void NodeMemory::zap(PageNo first, uint64_t count) {
  const auto begin = lower(slots_, first);
  auto end = begin;
  while (end != slots_.end() && end->page.value - first.value < count) ++end;
  slots_.erase(begin, end);
}

void NodeMemory::capture(PageNo page, Failure& failure) {
  const Slot* slot = find(page);
  if (slot == nullptr) return failure.report(at("CaptureSent of a hole,", page));
  const auto it = lower(sent_, page);
  if (it != sent_.end() && it->page == page)
    it->content = slot->content;
  else
    sent_.insert(it, Kept{page, slot->content});
}

void NodeMemory::restore(PageNo page, Failure& failure) {
  const std::optional<Token> bytes = sent(page);
  if (!bytes) return failure.report(at("RestoreSent without Sent bytes,", page));
  install(page, *bytes, failure);
}

void NodeMemory::forget(PageNo page) {
  const auto it = lower(sent_, page);
  if (it != sent_.end() && it->page == page) sent_.erase(it);
}

void NodeMemory::open_block(BlockNo block) {
  DSM_CHECK(origin_);
  if (native(block)) open_.insert(std::upper_bound(open_.begin(), open_.end(), block), block);
}

wire::BlockBits NodeMemory::present(BlockNo block) const {
  wire::BlockBits bits;
  for (const Slot& slot : slots_)
    if (slot.page.block() == block) bits.set(slot.page.index());
  return bits;
}

std::optional<Token> NodeMemory::content(PageNo page) const {
  const Slot* slot = find(page);
  return slot ? std::optional(slot->content) : std::nullopt;
}

std::optional<Token> NodeMemory::sent(PageNo page) const {
  const auto it = lower(sent_, page);
  return it != sent_.end() && it->page == page ? std::optional(it->content) : std::nullopt;
}

Mapping NodeMemory::mapping(PageNo page) const {
  const Slot* slot = find(page);
  return slot ? slot->mapping : Mapping::kAbsent;
}

bool NodeMemory::holds_part_of(BlockNo block) const {
  const auto inside = [block](const auto& row) { return row.page.block() == block; };
  return std::any_of(slots_.begin(), slots_.end(), inside) || std::any_of(sent_.begin(), sent_.end(), inside);
}

void NodeMemory::digest(Hasher& hasher) const {
  for (const Slot& slot : slots_) {
    hasher.add(slot.page.value);
    hasher.add(static_cast<unsigned>(slot.mapping));
    hasher.add_id(kTokenIds, slot.content);
  }
  hasher.add(~uint64_t{0});
  for (const Kept& kept : sent_) {
    hasher.add(kept.page.value);
    hasher.add_id(kTokenIds, kept.content);
  }
  for (const BlockNo block : open_) hasher.add(block.value);
}

}  // namespace dsm::sim
