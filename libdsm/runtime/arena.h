// SPDX-License-Identifier: Apache-2.0
// The runtime's memory: whole pages from its reserved range, private to the process, zero when handed out. Freed pages
// go back to the kernel; their addresses are not used again (the range is 768 GiB). A failure ends the process.
//
// Context: as lock.h. Slab<T> recycles objects of one type.
#pragma once
#include "libdsm/runtime/lock.h"
#include "libdsm/runtime/runtime_layout.h"

namespace dsm::runtime {

class Arena {
 public:
  // At least `bytes`, page-aligned, not counted against overcommit until touched.
  void* take(uint64_t bytes);
  void give_back(void* start, uint64_t bytes);
  // Address space only: for a mapping that the caller makes there with MAP_FIXED.
  uint64_t take_addresses(uint64_t bytes);

 private:
  uint64_t next_ = kArenaBegin;   // atomic; only grows
};

// Objects are not constructed anew when they are recycled: the taker sets them up.
template <typename T>
class Slab {
 public:
  T* take(Arena& arena) {
    LockGuard guard(lock_);
    if (free_ == nullptr) {
      auto* node = static_cast<Node*>(arena.take(kNodes * sizeof(Node)));
      for (unsigned i = 0; i < kNodes; i++) {
        node[i].next = free_;
        free_ = &node[i];
      }
    }
    Node* node = free_;
    free_ = node->next;
    return reinterpret_cast<T*>(node->bytes);
  }
  // In the child of a fork, whose other threads are gone: one of them may have been here.
  void reset_after_fork() {
    lock_.reset_after_fork();
    free_ = nullptr;
  }
  void give_back(T* object) {
    LockGuard guard(lock_);
    auto* node = reinterpret_cast<Node*>(reinterpret_cast<unsigned char*>(object) - offsetof(Node, bytes));
    node->next = free_;
    free_ = node;
  }

 private:
  struct Node {
    Node* next;
    alignas(T) unsigned char bytes[sizeof(T)];
  };
  static constexpr unsigned kNodes = 1 + 65536 / sizeof(Node);
  Lock lock_;
  Node* free_ = nullptr;
};

}  // namespace dsm::runtime
