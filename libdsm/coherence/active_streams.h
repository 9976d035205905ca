// SPDX-License-Identifier: Apache-2.0
// Which of this node's threads go through memory in order right now, so that another node's guess does not take away
// what they are about to touch. Bounded: the sixteen that streamed last. It only ever shortens a run that another node
// asked for ahead; a page that a thread waits for is never refused.
#pragma once
#include <algorithm>
#include <array>

#include "libdsm/coherence/page_use.h"
#include "libdsm/wire/hasher.h"

namespace dsm::coherence {

class ActiveStreams {
 public:
  static constexpr unsigned kMost = 16;

  // The thread fetched ahead.
  void note(ThreadId id) {
    const auto end = std::find(latest_.begin(), latest_.end() - 1, id);
    std::move_backward(latest_.begin(), end, end + 1);
    latest_.front() = id;
  }

  // The stream of a thread that is going through the page, or nullptr.
  Stream* over(PageNo page, ThreadUses& threads) const {
    for (const ThreadId id : latest_) {
      const auto t = threads.find(id.value);
      if (t == threads.end()) continue;
      if (Stream* stream = t->second.streams.covering(page)) return stream;
    }
    return nullptr;
  }

  void digest(Hasher& out) const {
    for (const ThreadId id : latest_) out.add(static_cast<uint64_t>(id.value));
  }

 private:
  std::array<ThreadId, kMost> latest_{};  // the latest first
};

}  // namespace dsm::coherence
