// SPDX-License-Identifier: Apache-2.0
// The smallest agent that keeps the contract of abi.h, for one node: everything stays native at the origin. It checks the order of the
// runtime's requests: a range that is added twice, or changed or dropped where nothing was added, ends the run with status 3.
// It can keep a checkpoint (the process image and all pages) in a folder, and load the pages of one.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libdsm/runtime/abi.h"

namespace dsm::tests {

// Which addresses the runtime has added.
class Ranges {
 public:
  void add(uint64_t start, uint64_t end);
  void remove(uint64_t start, uint64_t end);
  bool covers(uint64_t start, uint64_t end) const;
  void clear() { range_.clear(); }

 private:
  std::map<uint64_t, uint64_t> range_;
};

// Puts the pages that a SoloAgent has kept at `path` into the program's memory.
void load_pages(const std::string& path, int memory);

class SoloAgent {
 public:
  SoloAgent(int control, unsigned cpus) : control_(control), cpus_(cpus) {}

  // Where checkpoints go; empty: they are refused, as by an agent that keeps none. `silent`: they are not answered, so the program
  // stands still for ever.
  void keep_in(const std::string& folder, bool silent) {
    keep_folder_ = folder;
    silent_ = silent;
  }
  // The pages of the checkpoint in `folder` are there before the program is let in.
  void load_from(const std::string& folder) { load_folder_ = folder; }

  void on_control();
  void on_faults();

  int userfault() const { return userfault_; }
  bool closed() const { return closed_; }
  unsigned long requests() const { return requests_; }
  unsigned long faults() const { return faults_; }
  unsigned long kept() const { return kept_; }

 private:
  void handle(abi::Packet& packet, std::vector<int>& fds);
  void welcome(abi::Welcome& welcome, int pid) const;
  int64_t change(const abi::Packet& packet);
  int64_t punch(uint64_t start, uint64_t length) const;
  void wake(uint64_t page) const;
  int64_t keep(int image);

  int control_, userfault_ = -1, memory_ = -1;
  unsigned cpus_;
  bool closed_ = false, silent_ = false;
  Ranges ranges_;
  std::string keep_folder_, load_folder_;
  unsigned long requests_ = 0, faults_ = 0, kept_ = 0;
};

}  // namespace dsm::tests
