// SPDX-License-Identifier: Apache-2.0
// What the fake application of agent_pair tells its fake vessels to do, one request and one answer at a time over a
// channel. Plain values; both ends are the same program.
#pragma once
#include <cstdint>

namespace agent_pair {

inline constexpr uint64_t kRegion = 0x200000000000;  // the shared memory of the test, clear of a sanitiser's own
inline constexpr uint64_t kRegionBytes = 1ull << 30;

enum class Do : uint32_t {
  kLoad = 1,        // answer: the 64-bit word at address
  kStore = 2,       // value to the word at address
  kAdd = 3,         // `count` locked additions of 1 to the word at address
  kTimeLoads = 4,   // touch `count` pages in a scattered order; answer: median ns
  kTimeStores = 5,
  kSum = 6,         // read `count` bytes from address word by word; answer: their sum
  kFill = 7,        // first touch of `count` pages in order, storing value + index; answer: ns a page
  kExpectFault = 8, // load (value 0) or store (1) that must be refused; answer: the Refusal
};

struct Order {
  Do what;
  uint32_t pad = 0;
  uint64_t address = 0;
  uint64_t value = 0;
  uint64_t count = 0;
};
struct Answer {
  uint64_t value = 0;
  uint64_t p99 = 0;
};

// Carries out an order on the memory of this process.
Answer perform(const Order& order);
// Must be called once before an order may be refused.
void install_refusal_handler();

}  // namespace agent_pair
