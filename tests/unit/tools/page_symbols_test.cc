// SPDX-License-Identifier: Apache-2.0
// Pages of this very test are named, from the ranges that an agent would report of it: the mappings of files in
// /proc/self/maps.
#include "tools/common/page_symbols.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

// Global, with plain names, so that the symbol table has them as they are written here.
extern "C" {
alignas(4096) uint64_t filled_table[1024] = {1};
alignas(4096) uint64_t empty_table[1024];
}

namespace {

using nlohmann::json;

json ranges_of_this_process() {
  json ranges = json::array();
  FILE* maps = std::fopen("/proc/self/maps", "r");
  if (!maps) return ranges;
  char line[4096], path[4096];
  while (std::fgets(line, sizeof(line), maps)) {
    uint64_t start = 0, end = 0, offset = 0;
    if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %4095s", &start, &end, &offset, path) == 4 &&
        path[0] == '/')
      ranges.push_back({{"start", start}, {"end", end}, {"file", path}, {"file_offset", offset}});
  }
  std::fclose(maps);
  return ranges;
}

json named(const void* address) {
  json job = {{"ranges", ranges_of_this_process()}, {"pages", {{{"addr", reinterpret_cast<uint64_t>(address) / 4096 * 4096}}}}};
  dsm::tools::name_pages(job);
  EXPECT_FALSE(job.contains("ranges"));
  return job["pages"][0];
}

std::string symbol_of(const void* address) { return named(address).value("symbol", ""); }

TEST(PageSymbols, TableWithContent) {
  const json page = named(filled_table);
  EXPECT_EQ(page.value("symbol", ""), "filled_table (tools_test)");
  EXPECT_NE(page.value("file", "").find("tools_test"), std::string::npos);
  EXPECT_EQ(page.value("file_offset", uint64_t{1}) % 4096, 0u);
}

TEST(PageSymbols, LaterPageOfATable) { EXPECT_EQ(symbol_of(filled_table + 512), "filled_table+0x1000 (tools_test)"); }

TEST(PageSymbols, TableWithoutContent) {
  EXPECT_EQ(symbol_of(empty_table), "empty_table (tools_test)");
  EXPECT_EQ(symbol_of(empty_table + 512), "empty_table+0x1000 (tools_test)");
}

TEST(PageSymbols, FunctionOfALibrary) {
  const std::string symbol = symbol_of(reinterpret_cast<void*>(&::getppid));
  EXPECT_NE(symbol.find("(libc.so"), std::string::npos) << symbol;
}

TEST(PageSymbols, MemoryOfNoFileHasNoName) {
  const int on_the_stack = 0;
  const json page = named(&on_the_stack);
  EXPECT_FALSE(page.contains("symbol"));
  EXPECT_FALSE(page.contains("file"));
}

TEST(PageSymbols, WithoutRangesNothingIsNamed) {
  json job = {{"pages", {{{"addr", reinterpret_cast<uint64_t>(filled_table)}}}}};
  dsm::tools::name_pages(job);
  EXPECT_FALSE(job["pages"][0].contains("symbol"));
}

TEST(PageSymbols, FileThatIsGone) {
  json job = {{"ranges", {{{"start", 0x400000}, {"end", 0x402000}, {"file", "/nonexistent/prog"}, {"file_offset", 0}}}},
              {"pages", {{{"addr", 0x401000}}}}};
  dsm::tools::name_pages(job);
  EXPECT_FALSE(job["pages"][0].contains("symbol"));
  EXPECT_EQ(job["pages"][0].value("file_offset", 0), 0x1000);
}

}  // namespace
