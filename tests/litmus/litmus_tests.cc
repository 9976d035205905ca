// SPDX-License-Identifier: Apache-2.0
#include "litmus_test.h"

#include <algorithm>

namespace litmus {

namespace {

constexpr int x = 0, y = 1;

Operation store(int location, uint32_t value) { return {Kind::Store, location, value}; }
Operation load(int location) { return {Kind::Load, location, 0}; }
Operation add(int location) { return {Kind::FetchAdd, location, 1}; }
Operation fence() { return {Kind::Fence, 0, 0}; }

// True when the outcome begins with these results. -1 stands for any.
bool begins(const Outcome& o, std::initializer_list<int> wanted) {
  size_t i = 0;
  for (int w : wanted) {
    if (w >= 0 && o[i] != static_cast<uint32_t>(w)) return false;
    i++;
  }
  return true;
}

bool final_is(const Outcome& o, uint32_t at_x, uint32_t at_y) {
  return o[o.size() - 2] == at_x && o[o.size() - 1] == at_y;
}

#define OUTCOME [](const Outcome& o)

Test store_buffering() {
  return {"store_buffering",
          {{store(x, 1), load(y)}, {store(y, 1), load(x)}},
          {{"a final value was lost", OUTCOME { return !final_is(o, 1, 1); }}},
          {{"first before second", OUTCOME { return begins(o, {0, 1}); }},
           {"second before first", OUTCOME { return begins(o, {1, 0}); }},
           {"interleaved", OUTCOME { return begins(o, {1, 1}); }}}};
}

Test store_buffering_fenced() {
  Test t = store_buffering();
  t.name = "store_buffering_fenced";
  t.threads = {{store(x, 1), fence(), load(y)}, {store(y, 1), fence(), load(x)}};
  t.forbidden.push_back({"neither saw the other's store", OUTCOME { return begins(o, {0, 0}); }});
  return t;
}

Test message_passing() {
  return {"message_passing",
          {{store(x, 1), store(y, 1)}, {load(y), load(x)}},
          {{"flag without message", OUTCOME { return begins(o, {1, 0}); }},
           {"a final value was lost", OUTCOME { return !final_is(o, 1, 1); }}},
          {{"too early", OUTCOME { return begins(o, {0, 0}); }},
           {"message before flag", OUTCOME { return begins(o, {0, 1}); }},
           {"both", OUTCOME { return begins(o, {1, 1}); }}}};
}

Test load_buffering() {
  return {"load_buffering",
          {{load(x), store(y, 1)}, {load(y), store(x, 1)}},
          {{"each saw the later store", OUTCOME { return begins(o, {1, 1}); }},
           {"a final value was lost", OUTCOME { return !final_is(o, 1, 1); }}},
          {{"interleaved", OUTCOME { return begins(o, {0, 0}); }},
           {"first before second", OUTCOME { return begins(o, {0, 1}); }},
           {"second before first", OUTCOME { return begins(o, {1, 0}); }}}};
}

// Causality through a third thread.
Test write_to_read_causality() {
  return {"write_to_read_causality",
          {{store(x, 1)}, {load(x), store(y, 1)}, {load(y), load(x)}},
          {{"effect without cause", OUTCOME { return begins(o, {1, 1, 0}); }}},
          {{"chain seen", OUTCOME { return begins(o, {1, 1, 1}); }},
           {"effect not yet there", OUTCOME { return begins(o, {1, 0, -1}); }},
           {"no cause", OUTCOME { return begins(o, {0, -1, -1}); }}}};
}

Test independent_reads() {
  return {"independent_reads_of_independent_writes",
          {{store(x, 1)}, {store(y, 1)}, {load(x), load(y)}, {load(y), load(x)}},
          {{"readers disagree on the order", OUTCOME { return begins(o, {1, 0, 1, 0}); }},
           {"a final value was lost", OUTCOME { return !final_is(o, 1, 1); }}},
          {{"one reader between the writes", OUTCOME { return begins(o, {1, 0, -1, -1}); }},
           {"the other between the writes", OUTCOME { return begins(o, {-1, -1, 1, 0}); }},
           {"both after", OUTCOME { return begins(o, {1, 1, 1, 1}); }},
           {"both before", OUTCOME { return begins(o, {0, 0, 0, 0}); }}}};
}

// One location, one writer: no reader may see a value go back.
Test coherence_of_reads() {
  return {"coherence_of_reads",
          {{store(x, 1), store(x, 2)}, {load(x), load(x), load(x)}, {load(x), load(x)}},
          {{"a read went back", OUTCOME { return o[0] > o[1] || o[1] > o[2] || o[3] > o[4]; }},
           {"the final value was lost", OUTCOME { return !final_is(o, 2, 0); }}},
          {{"changed while reading", OUTCOME { return o[0] < o[2]; }},
           {"read before", OUTCOME { return o[2] == 0; }},
           {"read after", OUTCOME { return o[0] == 2; }}}};
}

// One location, two writers: all agree which store came first, and a writer never reads an older one.
Test coherence_of_writes() {
  return {"coherence_of_writes",
          {{store(x, 1), load(x)}, {store(x, 2), load(x)}, {load(x), load(x)}, {load(x), load(x)}},
          {{"readers disagree on the order",
            OUTCOME {
              return (begins(o, {-1, -1, 1, 2, 2, 1})) || (begins(o, {-1, -1, 2, 1, 1, 2}));
            }},
           {"a writer read an older value", OUTCOME { return o[0] == 0 || o[1] == 0; }},
           {"writers disagree", OUTCOME { return o[0] == 2 && o[1] == 1; }},
           {"a read went back to nothing",
            OUTCOME { return (o[2] != 0 && o[3] == 0) || (o[4] != 0 && o[5] == 0); }},
           {"a last store was lost", OUTCOME { return !final_is(o, 1, 0) && !final_is(o, 2, 0); }},
           {"the final value is not the later store",
            OUTCOME { return (o[0] == 2 && final_is(o, 1, 0)) || (o[1] == 1 && final_is(o, 2, 0)); }}},
          {{"first store first", OUTCOME { return final_is(o, 2, 0); }},
           {"second store first", OUTCOME { return final_is(o, 1, 0); }},
           {"a reader saw it change",
            OUTCOME { return (o[2] && o[2] != o[3]) || (o[4] && o[4] != o[5]) || o[2] != o[3]; }}}};
}

bool all_different_below(const Outcome& o, size_t count) {
  std::vector<bool> seen(count, false);
  for (size_t i = 0; i < count; i++) {
    if (o[i] >= count || seen[o[i]]) return false;
    seen[o[i]] = true;
  }
  return true;
}

Test atomic_counters() {
  return {"atomic_counters",
          {{add(x), add(y), add(x)}, {add(x), add(y), add(x)}, {add(y), add(x), add(x)}},
          {{"an addition was lost", OUTCOME { return !final_is(o, 6, 3); }},
           {"two additions saw the same value",
            OUTCOME {
              return !all_different_below({o[0], o[2], o[3], o[5], o[7], o[8]}, 6) ||
                     !all_different_below({o[1], o[4], o[6]}, 3);
            }},
           {"a thread's counter went back",
            OUTCOME { return o[0] > o[2] || o[3] > o[5] || o[7] > o[8]; }}},
          {{"one thread alone", OUTCOME { return o[2] == o[0] + 1; }},
           {"another thread in between", OUTCOME { return o[2] > o[0] + 1; }},
           {"last to begin", OUTCOME { return o[7] > o[0] && o[7] > o[3]; }}}};
}

#undef OUTCOME

}  // namespace

const std::vector<Test>& all_tests() {
  static const std::vector<Test> tests = {
      store_buffering(),         store_buffering_fenced(), message_passing(),
      load_buffering(),          write_to_read_causality(), independent_reads(),
      coherence_of_reads(),      coherence_of_writes(),    atomic_counters()};
  return tests;
}

int results_of(const Program& program) {
  return static_cast<int>(std::count_if(program.begin(), program.end(), [](const Operation& o) {
    return o.kind == Kind::Load || o.kind == Kind::FetchAdd;
  }));
}

}  // namespace litmus
