// SPDX-License-Identifier: Apache-2.0
// Seeded bugs by name, for command lines and tables.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "pagedir/mutation.h"

namespace dsm::sim {

// kNone included, first.
inline std::vector<Mutation> all_mutations() {
  std::vector<Mutation> list;
  for (unsigned m = 0; m <= static_cast<unsigned>(Mutation::kLast); ++m) list.push_back(static_cast<Mutation>(m));
  return list;
}

inline std::vector<std::string> mutation_names() {
  std::vector<std::string> names;
  for (const Mutation m : all_mutations()) names.emplace_back(to_string(m));
  return names;
}

inline std::optional<Mutation> mutation_of(const std::string& name) {
  for (const Mutation m : all_mutations())
    if (name == to_string(m)) return m;
  return std::nullopt;
}

}  // namespace dsm::sim
