// SPDX-License-Identifier: Apache-2.0
// The command line of dsm-stat.
#pragma once
#include <string>

namespace dsm::tools {

struct StatOptions {
  enum class Command { kShow, kMigrate, kDrain, kUndrain };
  Command command = Command::kShow;
  std::string job;         // empty: all jobs of this user
  bool json = false;
  double watch_s = 0;      // 0: once
  int tid = 0, node = 0;   // kMigrate; kDrain, kUndrain
  double timeout_s = 60;   // kDrain
  bool finished = false;
  int exit_status = 0;
};

StatOptions parse_stat_options(int argc, char** argv);

}  // namespace dsm::tools
