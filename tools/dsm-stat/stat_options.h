// SPDX-License-Identifier: Apache-2.0
// The command line of dsm-stat.
#pragma once
#include <string>

namespace dsm::tools {

struct StatOptions {
  std::string job;         // empty: all jobs of this user
  bool json = false;
  double watch_s = 0;      // 0: once
  bool finished = false;
  int exit_status = 0;
};

StatOptions parse_stat_options(int argc, char** argv);

}  // namespace dsm::tools
