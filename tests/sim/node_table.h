// SPDX-License-Identifier: Apache-2.0
// The nodes of a Machine, shared between copies of it until one of them changes a node. A schedule never copies a Machine
// and pays nothing; the exploration holds many that differ in one node each.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "libdsm/wire/hasher.h"
#include "tests/sim/model_node.h"

namespace dsm::sim {

class NodeTable {
 public:
  // A digest of one node in which numbers count by their order among the node's own, and those numbers.
  struct Local {
    Hasher::Value digest;
    std::vector<IdRanks::Id> ids;
  };
  struct Entry {
    ModelNode node;
    std::optional<Local> local;   // made when it is first asked for
  };
  using Shared = std::shared_ptr<Entry>;

  class Iterator {
   public:
    explicit Iterator(const Shared* at) : at_(at) {}
    const ModelNode& operator*() const { return (*at_)->node; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const Shared* at_;
  };

  void add(ModelNode node) { nodes_.push_back(std::make_shared<Entry>(Entry{std::move(node), {}})); }
  size_t size() const { return nodes_.size(); }
  const ModelNode& operator[](size_t i) const { return nodes_[i]->node; }
  Iterator begin() const { return Iterator(nodes_.data()); }
  Iterator end() const { return Iterator(nodes_.data() + nodes_.size()); }
  // A node of our own.
  ModelNode& edit(size_t i) {
    if (nodes_[i].use_count() > 1) nodes_[i] = std::make_shared<Entry>(Entry{nodes_[i]->node, {}});
    nodes_[i]->local.reset();
    return nodes_[i]->node;
  }
  // The first call for a node must come before the node is shared between threads.
  const Local& local(size_t i) const {
    Entry& entry = *nodes_[i];
    if (!entry.local) {
      IdRanks ids;
      for (int pass = 0; pass < 2; ++pass) {
        Hasher hasher(&ids);
        entry.node.digest(hasher);
        if (pass == 0) ids.seal();
        else entry.local = Local{hasher.value(), ids.ids()};
      }
    }
    return *entry.local;
  }
  const Shared& shared(size_t i) const { return nodes_[i]; }
  // Takes an equal node in the place of ours, so that ours can go.
  void replace(size_t i, Shared equal) { nodes_[i] = std::move(equal); }

 private:
  std::vector<Shared> nodes_;
};

}  // namespace dsm::sim
