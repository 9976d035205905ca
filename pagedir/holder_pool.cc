// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "libdsm/base/check.h"
#include "pagedir/entry.h"

namespace dsm::pagedir {

uint32_t HolderPool::number(const Entry& e) {
  uint32_t n;
  std::memcpy(&n, e.ids.data(), sizeof n);
  return n;
}

bool HolderPool::contains(const Entry& e, NodeId node) const {
  if (e.holders == Entry::kPooled) return pool_[number(e)].contains(node);
  for (unsigned i = 0; i < e.holders; ++i)
    if (e.ids[i] == node.value) return true;
  return false;
}

unsigned HolderPool::size(const Entry& e) const {
  return e.holders == Entry::kPooled ? pool_[number(e)].size() : e.holders;
}

NodeId HolderPool::nth(const Entry& e, unsigned n) const {
  if (e.holders != Entry::kPooled) {
    DSM_CHECK(n < e.holders);
    return NodeId{e.ids[n]};
  }
  NodeId found{};
  unsigned i = 0;
  pool_[number(e)].for_each([&](NodeId node) {
    if (i++ == n) found = node;
  });
  return found;
}

wire::NodeSet HolderPool::get(const Entry& e) const {
  if (e.holders == Entry::kPooled) return pool_[number(e)];
  wire::NodeSet set;
  for (unsigned i = 0; i < e.holders; ++i) set.insert(NodeId{e.ids[i]});
  return set;
}

void HolderPool::add(Entry& e, NodeId node) {
  if (contains(e, node)) return;
  if (e.holders < Entry::kInline) {
    e.ids[e.holders++] = static_cast<uint8_t>(node.value);
    return;
  }
  wire::NodeSet all = get(e);
  all.insert(node);
  set(e, all);
}

void HolderPool::remove(Entry& e, NodeId node) {
  if (!contains(e, node)) return;
  wire::NodeSet rest = get(e);
  rest.erase(node);
  set(e, rest);
}

void HolderPool::set_only(Entry& e, NodeId node) {
  clear(e);
  e.ids[0] = static_cast<uint8_t>(node.value);
  e.holders = 1;
}

void HolderPool::set(Entry& e, const wire::NodeSet& nodes) {
  clear(e);
  if (nodes.size() <= Entry::kInline) {
    nodes.for_each([&](NodeId n) { e.ids[e.holders++] = static_cast<uint8_t>(n.value); });
    return;
  }
  uint32_t n = static_cast<uint32_t>(pool_.size());
  if (free_.empty()) {
    pool_.push_back(nodes);
  } else {
    n = free_.back();
    free_.pop_back();
    pool_[n] = nodes;
  }
  std::memcpy(e.ids.data(), &n, sizeof n);
  e.holders = Entry::kPooled;
}

void HolderPool::clear(Entry& e) {
  if (e.holders == Entry::kPooled) free_.push_back(number(e));
  e.holders = 0;
  e.ids = {};
}

}  // namespace dsm::pagedir
