// SPDX-License-Identifier: Apache-2.0
// The first role: the process of the program, at the origin.
#pragma once
#include <stdint.h>

namespace dsm::runtime {

struct ApplicationStart {
  const uint64_t* stack;   // as the kernel left it: argc, argv, envp, auxiliary vector
  const char* descriptors; // as entry.cc says, or the SPEC of lone_exec.cc
  bool alone;              // a child of the program (lone_process.h)
  bool again;              // after an execve of the program
  bool held;               // the program's path names a descriptor that ends with the execve
};

// "FD", "FD,L" or "FD,L,1": takes over the control socket and the launcher's.
void take_descriptors(const char* text);
// Memory, thread board, Hello and Welcome; the calling thread is on the board.
void greet_as_origin();

// Loads the program and enters it. Exits with 127 when it is missing and 126 when it cannot be executed.
[[noreturn]] void application_main(const ApplicationStart& start);

}  // namespace dsm::runtime
