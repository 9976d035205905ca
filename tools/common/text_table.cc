// SPDX-License-Identifier: Apache-2.0
#include "tools/common/text_table.h"

#include <fmt/core.h>

#include <algorithm>

namespace dsm::tools {
namespace {

std::string scaled(double value, double step, const char* const* units) {
  int unit = 0;
  while (value >= step && units[unit + 1]) {
    value /= step;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f}{}", value, units[0]) : fmt::format("{:.1f}{}", value, units[unit]);
}

}  // namespace

TextTable::TextTable(std::vector<std::string> headers) {
  for (auto& header : headers) {
    const bool left = header.starts_with("<");
    left_.push_back(left);
    if (left) header.erase(0, 1);
  }
  rows_.push_back(std::move(headers));
}

void TextTable::add(std::vector<std::string> cells) {
  cells.resize(left_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<size_t> width(left_.size());
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += i ? "  " : "";
      line += left_[i] ? fmt::format("{:<{}}", row[i], width[i]) : fmt::format("{:>{}}", row[i], width[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string short_count(double value) {
  static constexpr const char* kUnits[] = {"", "k", "M", "G", "T", nullptr};
  return scaled(value, 1000, kUnits);
}

std::string short_bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", nullptr};
  return scaled(bytes, 1024, kUnits);
}

std::string as_us(double ns) { return fmt::format("{:.1f}", ns / 1000); }

}  // namespace dsm::tools
