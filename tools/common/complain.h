// SPDX-License-Identifier: Apache-2.0
// Lines on standard error. A user who has closed it, or whose disk is full, misses the line and nothing else: fmt::print
// would throw.
#pragma once
#include <cstdio>
#include <string>
#include <utility>

#include <fmt/core.h>

namespace dsm::tools {

template <class... Arguments>
void complain(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  const std::string line = fmt::format(format, std::forward<Arguments>(arguments)...);
  std::fputs(line.c_str(), stderr);
}

}  // namespace dsm::tools
