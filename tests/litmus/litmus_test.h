// SPDX-License-Identifier: Apache-2.0
// The litmus tests as data: for each thread a short program over two locations, which outcomes
// x86-TSO forbids, and which permitted ones a good run must also have shown (a harness that never
// gets two threads into the window proves nothing).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace litmus {

enum class Kind : uint8_t {
  Store,     // location = value
  Load,      // next result = location
  FetchAdd,  // next result = location, location += value; a locked instruction
  Fence,     // mfence
};

struct Operation {
  Kind kind;
  int location;  // 0 is x, 1 is y
  uint32_t value;
};

using Program = std::vector<Operation>;

// Results of all loads and fetch-adds, thread by thread, in program order, then the final x and y.
using Outcome = std::vector<uint32_t>;

struct Class {
  std::string name;
  bool (*contains)(const Outcome&);
};

struct Test {
  std::string name;
  std::vector<Program> threads;
  std::vector<Class> forbidden;
  std::vector<Class> interesting;
};

// All tests, in the order in which they run.
const std::vector<Test>& all_tests();

// How many results a program gives.
int results_of(const Program& program);

}  // namespace litmus
