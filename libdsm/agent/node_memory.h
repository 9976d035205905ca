// SPDX-License-Identifier: Apache-2.0
// NodeMemory: everything through which the agent touches the memory of the program's process on this node: contents,
// bytes in flight, mappings. Made at Hello from the descriptors that the runtime passes. Owner-thread only.
#pragma once
#include <memory>

#include "libdsm/fault/uffd_source.h"
#include "libdsm/memory/page_store.h"
#include "libdsm/memory/sent_store.h"

namespace dsm::agent {

class NodeMemory {
 public:
  // `map`: the origin's address map, nullptr on a worker.
  NodeMemory(int pid, os::Uffd uffd, os::Memfd memfd, const memory::AddressMap* map)
      : pid_(pid), pages_(std::move(memfd), map), invalidation_(pages_), faults_(std::move(uffd), invalidation_, pages_) {}
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;

  int pid() const { return pid_; }
  memory::PageStore& pages() { return pages_; }
  const memory::PageStore& pages() const { return pages_; }
  memory::SentStore& sent() { return sent_; }
  fault::FaultSource& faults() { return faults_; }

 private:
  int pid_;
  memory::PageStore pages_;
  memory::SentStore sent_;
  fault::PunchInvalidation invalidation_;
  fault::UffdSource faults_;
};

}  // namespace dsm::agent
