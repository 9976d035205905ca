// SPDX-License-Identifier: Apache-2.0
// A thread of the program that runs over the nodes: a fixed list of operations, each one instruction (which may need
// several pages at one instant) or an event of the thread's life.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "libdsm/base/ids.h"

namespace dsm::sim {

struct Operation {
  enum class Kind : uint8_t { kAccess, kBlock, kMigrate };
  static constexpr unsigned kMaxPages = 4;
  Kind kind = Kind::kAccess;
  uint8_t pages = 0;                          // kAccess
  std::array<PageNo, kMaxPages> page{};
  std::array<Access, kMaxPages> access{};
  NodeId to{};                                // kMigrate
};

struct ScriptedThread {
  enum class State : uint8_t { kReady, kWaiting, kDone };
  ThreadId id;
  NodeId node;
  std::vector<Operation> script;
  State state = State::kReady;
  uint32_t next = 0;         // index into script
  uint32_t faults = 0;       // of the current operation
  uint64_t started = 0;      // step in which the current operation was first tried
  PageNo waits_for{};        // kWaiting
  Access waits_access{};
  bool fault_unread = false; // kWaiting: the agent has not taken the event from the queue

  bool waiting() const { return state == State::kWaiting; }
  const Operation& operation() const { return script[next]; }
};

}  // namespace dsm::sim
