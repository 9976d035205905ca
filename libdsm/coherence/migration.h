// SPDX-License-Identifier: Apache-2.0
// Whether a page migrates: each node that gets it reads it first and then writes it (a counter, a queue, what a lock
// protects). An owner that has seen this hands the page over whole to the next reader, which saves that node the upgrade.
// The reader gets it write-protected: a write is one local fault and confirms the guess, and a page that was never written
// is shared with the next reader. Where the guess has proved right several times, the page comes writable, and is only
// looked at now and then. After Cox and Fowler, "Adaptive cache coherency for detecting migratory shared data"
// (ISCA 1993), decided by the owner instead of the directory.
#pragma once
#include <cstdint>

namespace dsm::coherence {

class Migration {
 public:
  // ---- The page comes: as a copy, whole for a reader, or whole for a writer.
  void came_as_copy() {
    if (handed_on_) distrust_ = kMost, trust_ = 0;  // whoever got it whole did not write it
    handed_on_ = 0;
    copied_ = 1;
  }
  // True: it may be mapped writable.
  bool came_for_reader() {
    handed_on_ = 0;
    migrates_ = 1;
    unwritten_ = trust_ < kTrusted || trust_ == kMost;
    if (!unwritten_) ++trust_;
    return !unwritten_;
  }
  // ... it is not mapped so, for the sake of another page of its run.
  void look_at_first_write() { unwritten_ = 1; }
  void came_for_writer() { handed_on_ = 0; }

  // ---- The page is here.
  void upgraded() {
    if (copied_ && distrust_ != 0) --distrust_;
    else migrates_ = copied_;
    copied_ = 0;
  }
  void written() {
    if (unwritten_) trust_ = trust_ < kTrusted ? trust_ + 1 : kTrusted;
    unwritten_ = 0;
  }
  bool unwritten() const { return unwritten_; }  // ours to write, but still write-protected
  bool migrates() const { return migrates_ && !unwritten_; }

  // ---- The page goes: in part, or wholly.
  void shared() {
    if (unwritten_) trust_ = 0;
    migrates_ = unwritten_ = copied_ = 0;
  }
  void handed_to_reader() { handed_on_ = 1; }
  void left() { migrates_ = unwritten_ = copied_ = 0; }

  uint64_t state() const {
    return static_cast<uint64_t>(copied_ | migrates_ << 1 | unwritten_ << 2 | handed_on_ << 3 | distrust_ << 4 | trust_ << 8);
  }

 private:
  static constexpr unsigned kMost = 15;
  static constexpr unsigned kTrusted = 3;
  uint16_t copied_ : 1 = 0;     // Shared, and the bytes came from another node
  uint16_t migrates_ : 1 = 0;
  uint16_t unwritten_ : 1 = 0;
  uint16_t handed_on_ : 1 = 0;  // when it left last, to a reader
  uint16_t distrust_ : 4 = 0;   // upgrades that prove nothing, after a wrong guess
  uint16_t trust_ : 4 = 0;      // from kTrusted on it comes writable, at kMost it is looked at once more
};
static_assert(sizeof(Migration) == 2);

}  // namespace dsm::coherence
