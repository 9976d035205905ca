// SPDX-License-Identifier: Apache-2.0
// The command line of dsm-ckpt.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace dsm::tools {

struct CkptOptions {
  enum class Command { kList, kShow, kVerify, kPrune };
  Command command = Command::kList;
  std::vector<std::string> directories;
  std::string job;           // empty: all
  uint64_t generation = 0;   // kShow, kVerify; 0: all
  unsigned keep = 0;         // kPrune
  bool json = false;
  bool finished = false;
  int exit_status = 0;
};

CkptOptions parse_ckpt_options(int argc, char** argv);

}  // namespace dsm::tools
