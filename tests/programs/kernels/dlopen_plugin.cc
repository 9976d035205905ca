// SPDX-License-Identifier: Apache-2.0
// What dlopen_host loads: a static object with a constructor, a thread_local, a virtual function
// and an exception, all of which need the loader's bookkeeping to be right at every node.
#include "dlopen_plugin.h"

#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::vector<uint64_t> g_table = [] {
  std::vector<uint64_t> table(256);
  for (size_t i = 0; i < table.size(); i++) table[i] = mix64(i);
  return table;
}();

thread_local long t_calls = 0;

class TablePlugin final : public Plugin {
 public:
  uint64_t transform(uint64_t value) override {
    ++t_calls;
    for (int i = 0; i < 8; i++) value = (value >> 8) ^ g_table[value & 0xff];
    if (value % 16 == 0) throw std::domain_error("value " + std::to_string(value % 1000));
    return value;
  }
  long calls_of_this_thread() const override { return t_calls; }
};

}  // namespace

extern "C" Plugin* make_plugin() { return new TablePlugin; }
