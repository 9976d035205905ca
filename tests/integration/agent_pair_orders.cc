// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <vector>

#include "libdsm/os/clock.h"
#include "libdsm/runtime/abi.h"
#include "tests/integration/agent_pair_protocol.h"

namespace agent_pair {
namespace {

constexpr uint64_t kPage = 4096;

volatile uint64_t* word_at(uint64_t address) { return reinterpret_cast<volatile uint64_t*>(address); }

// Visits each of `count` pages once, in an order that no stride detector recognises.
template <class Touch>
Answer time_scattered(uint64_t address, uint64_t count, Touch touch) {
  std::vector<uint64_t> order(count);
  for (uint64_t i = 0; i < count; ++i) order[i] = i;
  uint64_t state = 88172645463325252u;
  for (uint64_t i = count; i > 1; --i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    std::swap(order[i - 1], order[state % i]);
  }
  std::vector<uint64_t> ns;
  for (uint64_t page : order) {
    uint64_t begin = dsm::os::now_ns();
    touch(address + page * kPage);
    ns.push_back(dsm::os::now_ns() - begin);
  }
  std::sort(ns.begin(), ns.end());
  return {ns[ns.size() / 2], ns[ns.size() * 99 / 100]};
}

thread_local sigjmp_buf refused;
thread_local volatile sig_atomic_t refusal;

void on_refusal(int, siginfo_t* info, void*) {
  refusal = info->si_errno;
  siglongjmp(refused, 1);
}

Answer expect_fault(const Order& order) {
  refusal = 0;
  if (sigsetjmp(refused, 1) == 0) {
    if (order.value) *word_at(order.address) = 1;
    else (void)*word_at(order.address);
  }
  return {static_cast<uint64_t>(refusal), 0};
}

}  // namespace

void install_refusal_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_refusal;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(dsm::abi::kSignalRefusal, &action, nullptr);
}

Answer perform(const Order& order) {
  switch (order.what) {
    case Do::kLoad: return {*word_at(order.address), 0};
    case Do::kStore: *word_at(order.address) = order.value; return {};
    case Do::kAdd:
      for (uint64_t i = 0; i < order.count; ++i)
        __atomic_fetch_add(reinterpret_cast<uint64_t*>(order.address), 1, __ATOMIC_SEQ_CST);
      return {};
    case Do::kTimeLoads:
      return time_scattered(order.address, order.count, [](uint64_t at) { (void)*word_at(at); });
    case Do::kTimeStores:
      return time_scattered(order.address, order.count, [&](uint64_t at) { *word_at(at) = order.value + at; });
    case Do::kSum: {
      uint64_t sum = 0;
      for (uint64_t at = order.address; at < order.address + order.count; at += 8) sum += *word_at(at);
      return {sum, 0};
    }
    case Do::kFill: {
      uint64_t begin = dsm::os::now_ns();
      for (uint64_t i = 0; i < order.count; ++i) *word_at(order.address + i * kPage) = order.value + i;
      return {(dsm::os::now_ns() - begin) / std::max<uint64_t>(order.count, 1), 0};
    }
    case Do::kExpectFault: return expect_fault(order);
  }
  return {};
}

}  // namespace agent_pair
