// SPDX-License-Identifier: Apache-2.0
// std::async with exceptions: thrown in a remote thread and caught there, thrown there and caught
// by whoever asks the future, rethrown with a nested cause, and unwound through frames with
// destructors. The unwinder reads its tables from pages that first have to come over.
//
//   async_exceptions [tasks] [work]
#include <cstdio>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "selfcheck.h"

namespace {

struct Refusal {
  long task;
  std::string why;
};

class Depth {
 public:
  explicit Depth(int* count) : count_(count) { ++*count_; }
  ~Depth() { --*count_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  int* count_;
};

void descend(int levels, int* depth, long task) {
  Depth here(depth);
  if (levels == 0) throw std::out_of_range("bottom " + std::to_string(task));
  descend(levels - 1, depth, task);
  CHECK(!"an exception from below must not come back as a return");
}

void caught_where_thrown(long task) {
  int depth = 0;
  try {
    descend(20, &depth, task);
  } catch (const std::logic_error& e) {
    CHECK(e.what() == "bottom " + std::to_string(task));
  }
  CHECK(depth == 0);
}

void throw_with_cause(long task) {
  try {
    throw Refusal{task, "cause"};
  } catch (...) {
    std::throw_with_nested(std::runtime_error("wrapped " + std::to_string(task)));
  }
}

uint64_t run(long task, long work) {
  uint64_t value = compute(static_cast<uint64_t>(task), work);
  caught_where_thrown(task);
  switch (task % 4) {
    case 1: throw std::runtime_error("task " + std::to_string(task));
    case 2: throw Refusal{task, std::string(200, 'x')};
    case 3: throw_with_cause(task);
  }
  return value;
}

// One line of text for what the task gave or threw.
std::string outcome(long task, std::future<uint64_t>& future) {
  try {
    char text[32];
    snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(future.get()));
    return text;
  } catch (const Refusal& r) {
    CHECK(task % 4 == 2 && r.task == task && r.why == std::string(200, 'x'));
    return "refused";
  } catch (const std::runtime_error& e) {
    std::string text = e.what();
    try {
      std::rethrow_if_nested(e);
      CHECK(task % 4 == 1);
    } catch (const Refusal& cause) {
      CHECK(task % 4 == 3 && cause.task == task);
      text += " for " + cause.why;
    }
    return text;
  }
}

}  // namespace

int main(int argc, char** argv) {
  long tasks = number_argument(argc, argv, 1, 240);
  long work = number_argument(argc, argv, 2, 2600000);
  const long at_once = 4;
  std::vector<std::string> lines;
  for (long first = 0; first < tasks; first += at_once) {
    std::vector<std::future<uint64_t>> futures;
    for (long t = first; t < first + at_once && t < tasks; t++)
      futures.push_back(std::async(std::launch::async, run, t, work));
    for (size_t i = 0; i < futures.size(); i++)
      lines.push_back(outcome(first + static_cast<long>(i), futures[i]));
  }
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  for (size_t i = 0; i < lines.size() && i < 8; i++) puts(lines[i].c_str());
  printf("%ld tasks, outcomes %016llx ok\n", tasks,
         static_cast<unsigned long long>(hash_bytes(all.data(), all.size())));
  return 0;
}
