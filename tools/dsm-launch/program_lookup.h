// SPDX-License-Identifier: Apache-2.0
// Finds the program as execvp would, and judges early what cannot run, so that the exit status is the shell's:
// 127 not found, 126 found but not executable (a directory, no permission, not x86-64).
#pragma once
#include <string>

namespace dsm::tools {

struct Program {
  std::string path;       // absolute; empty if it cannot run
  int exit_status = 0;    // why not
  std::string problem;    // in words for the user
};

Program find_program(const std::string& name);

}  // namespace dsm::tools
