// SPDX-License-Identifier: Apache-2.0
// One page of the hammer: what can be done to it, and how each operation finds out that an update
// was lost, torn or undone.
//
// Invariants, checked by the visitor of a page at once:
//   1. `count[t]` is written by thread t only and holds what t wrote last (t remembers it).
//   2. `seal[t]` carries a checksum, was written after `count[t]`, and so is never ahead of it.
//   3. While the lock is held, all words of `block` are equal, and so is the word that lies across
//      the end of the page (`straddle_of`).
// and by the first thread when all have ended:
//   4. `added` is the number of all fetch_adds, `mixed` the exclusive or of all that was mixed in.
//   5. `block` holds the number of locked updates.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hammer {

inline constexpr size_t kPageBytes = 4096;
inline constexpr unsigned kMostThreads = 128;
inline constexpr unsigned kBlockWords = 128;
inline constexpr unsigned kStraddleBytes = 8;  // half in this page, half in the next

struct alignas(kPageBytes) Page {
  unsigned char straddle_tail[kStraddleBytes];  // its first half belongs to the page before
  std::atomic<uint64_t> lock;
  std::atomic<uint64_t> added;
  std::atomic<uint64_t> mixed;
  uint64_t block[kBlockWords];
  std::atomic<uint64_t> count[kMostThreads];
  std::atomic<uint64_t> seal[kMostThreads];
  unsigned char unused[kPageBytes - kStraddleBytes - 3 * 8 - kBlockWords * 8 -
                       2 * kMostThreads * 8 - kStraddleBytes];
  unsigned char straddle_head[kStraddleBytes];  // its last half belongs to this page
};
static_assert(sizeof(Page) == kPageBytes);

// What went wrong, as text and two numbers; `what` is null while all is well.
struct Complaint {
  const char* what = nullptr;
  uint64_t found = 0;
  uint64_t expected = 0;
};

inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// The count in the upper 40 bits, a checksum over count, thread and page in the lower 24.
inline uint64_t seal_for(uint64_t count, unsigned thread, size_t page) {
  return (count << 24) | (mix(count ^ (uint64_t{thread} << 40) ^ (page << 48)) & 0xffffff);
}

inline Complaint write_own(Page& p, size_t page, unsigned me, uint64_t& remembered) {
  uint64_t found = p.count[me].load(std::memory_order_relaxed);
  if (found != remembered) return {"own count changed", found, remembered};
  remembered++;
  p.count[me].store(remembered, std::memory_order_relaxed);
  p.seal[me].store(seal_for(remembered, me, page), std::memory_order_release);
  return {};
}

// Looks at another thread's entry: the seal first, because it is written last.
inline Complaint read_other(const Page& p, size_t page, unsigned other) {
  uint64_t seal = p.seal[other].load(std::memory_order_acquire);
  uint64_t count = p.count[other].load(std::memory_order_relaxed);
  uint64_t sealed = seal >> 24;
  if (seal != 0 && seal != seal_for(sealed, other, page))
    return {"seal is torn", seal, seal_for(sealed, other, page)};
  if (sealed > count) return {"count is older than its seal", count, sealed};
  return {};
}

// The eight bytes over the border between a page and its successor. Bytes, not a word: an access
// that needs two pages at once is the point, atomicity over both is not promised.
inline unsigned char* straddle_of(Page& p) {
  return p.straddle_head + kStraddleBytes / 2;
}

// Updates the block under the lock when it is free; `updated` tells. Never waits.
inline Complaint update_block(Page& p, bool& updated) {
  updated = false;
  if (p.lock.exchange(1, std::memory_order_acquire) != 0) return {};
  uint64_t value = p.block[0];
  for (uint64_t word : p.block)
    if (word != value) return {"block is torn", word, value};
  uint64_t across;
  memcpy(&across, straddle_of(p), sizeof across);
  if (across != value) return {"word across two pages differs from the block", across, value};
  value++;
  for (uint64_t& word : p.block) word = value;
  memcpy(straddle_of(p), &value, sizeof value);
  p.lock.store(0, std::memory_order_release);
  updated = true;
  return {};
}

inline void mix_in(Page& p, uint64_t value) {
  uint64_t old = p.mixed.load(std::memory_order_relaxed);
  while (!p.mixed.compare_exchange_weak(old, old ^ value)) continue;
}

}  // namespace hammer
