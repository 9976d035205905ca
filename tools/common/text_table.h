// SPDX-License-Identifier: Apache-2.0
// A plain text table: columns as wide as their widest cell, numbers to the right.
#pragma once
#include <string>
#include <vector>

namespace dsm::tools {

class TextTable {
 public:
  // A header that begins with '<' makes its column left-aligned (the sign is not printed).
  explicit TextTable(std::vector<std::string> headers);
  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> left_;
};

// 1234567 -> "1.2M"; 999 -> "999".
std::string short_count(double value);
// Bytes with binary units: "1.5GiB".
std::string short_bytes(double bytes);
// Nanoseconds as us with one decimal: "12.3".
std::string as_us(double ns);

}  // namespace dsm::tools
