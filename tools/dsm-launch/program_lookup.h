// SPDX-License-Identifier: Apache-2.0
// Finds the program as execvp would, and judges early what cannot run, so that the exit status is the shell's:
// 127 not found, 126 found but not executable (a directory, no permission, not x86-64).
#pragma once
#include <string>
#include <vector>

namespace dsm::tools {

struct Program {
  std::string path;       // absolute, for people; empty if it cannot run
  int exit_status = 0;    // why not
  std::string problem;    // in words for the user
  std::string file;       // what execve is given: a path as the user wrote it, which scripts see as their $0
  bool for_shell = false; // text without a #! line
};

Program find_program(const std::string& name);

// The same for a whole command. As execvp does, hands a text file without a #! line to the shell: `command` becomes
// that of the shell.
Program find_command(std::vector<std::string>& command);

}  // namespace dsm::tools
