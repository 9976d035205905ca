// SPDX-License-Identifier: Apache-2.0
// A few nodes with real shards and caches, in-order channels and a page content that is one number. Messages are
// delivered until nothing moves; time only passes when a test says so. The simulator (tests/sim) is the thorough one;
// this is for tests that say exactly what must happen.
#pragma once
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "libdsm/coherence/cache_controller.h"
#include "pagedir/directory_service.h"

namespace dsm::test {

struct Frame {
  bool present = false;
  unsigned rights = 0;  // 0 unmapped, 1 read, 2 write
  uint64_t content = 0;
};

class SmallCluster {
 public:
  explicit SmallCluster(unsigned nodes, coherence::CacheConfig base = quiet());
  static coherence::CacheConfig quiet();  // no hold, no lease, no fetch-ahead

  // One access by a thread; true if it retired. Faults at most a few times.
  bool load(unsigned node, PageNo page, uint64_t* value = nullptr, int thread = 1);
  bool store(unsigned node, PageNo page, uint64_t value, int thread = 1);
  void fault(unsigned node, PageNo page, Access access, int thread = 1);
  void native_write(PageNo page, uint64_t value);  // at the origin, without a fault
  void settle();
  bool step();  // deliver one message
  void advance(TimeNs ns);  // and run the timers that are due
  void inject(const wire::Envelope&);
  void drop(PageRange, wire::RangeOp);
  void lose_shard(PageNo page, unsigned new_host);
  bool quiet_now() const;

  pagedir::PageView view(PageNo page) const { return directory[map.host_of(page).value].view(page); }
  unsigned count(const std::string& kind) const;  // messages of that kind since clear()
  void clear() { log.clear(); }

  unsigned nodes;
  pagedir::ShardMap map;
  std::vector<coherence::CacheController> cache;
  std::vector<pagedir::DirectoryService> directory;
  std::vector<std::map<uint64_t, Frame>> memory;
  std::vector<std::map<uint64_t, uint64_t>> sent;
  wire::BlockBits readable = wire::BlockBits::all(), writable = wire::BlockBits::all(), pinned;
  std::vector<std::string> log;
  std::vector<std::string> errors;
  std::vector<wire::RefuseReason> refused;
  std::vector<uint64_t> finished;
  uint64_t sample = 0;  // what SamplePage reads; add to it to "write"
  bool sample_changes = false;
  TimeNs now = 1'000'000;

 private:
  struct Parcel {
    wire::Envelope envelope;
    std::vector<uint64_t> payload;
  };
  void execute(unsigned node, coherence::Actions& actions, const Parcel* parcel);
  void post(unsigned src, NodeId dst, const wire::Message&, std::vector<uint64_t> payload);
  void deliver(const Parcel&);
  void answer_block(unsigned node, BlockNo, bool open);
  bool access(unsigned node, PageNo page, Access, int thread);
  std::deque<Parcel> queue_;
  std::map<uint64_t, bool> opened_;
  uint64_t next_range_ = 1;
  uint32_t next_epoch_ = 2;
};

inline PageNo page_at(unsigned block, unsigned index) { return PageNo{block * uint64_t{kPagesPerBlock} + index}; }

}  // namespace dsm::test
