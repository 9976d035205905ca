// SPDX-License-Identifier: Apache-2.0
// The user-space exec: maps a program and its ELF interpreter into shared memory, builds the initial stack there, and
// enters it. Context: the only thread of the process, signal handlers installed, traps off, an empty AddressSpace.
#pragma once
#include "libdsm/runtime/program_file.h"

namespace dsm::runtime {

// The kernel's auxiliary vector as this process got it: pairs, the end included.
struct AuxiliaryVector {
  static constexpr unsigned kMaxWords = 128;
  uint64_t word[kMaxWords];
  unsigned words;
  char platform[64];
  uint8_t random[16];
};

// What the initial stack says about the loaded images.
struct LoadedProgram {
  uint64_t entry;               // first instruction: the interpreter's, if there is one
  uint64_t program_entry;       // AT_ENTRY
  uint64_t interpreter_base;    // AT_BASE
  uint64_t headers;             // AT_PHDR
  uint64_t header_count;        // AT_PHNUM
  uint64_t code_start, code_end, data_start, data_end;
  uint64_t break_start;
};

// A failure past the point of no return is fatal: both end the process with a message.
LoadedProgram load_images(const ProgramFile& file);

struct InitialStack {
  uint64_t low, high;           // the whole region
  uint64_t pointer;             // RSP at the first instruction
};
// Maps the stack region at the top of the address space. Before load_images, which places the interpreter below it.
InitialStack make_stack_region();
void fill_stack(InitialStack& stack, const LoadedProgram& program, const char* given_path, const ArgumentList& argv,
                const ArgumentList& environment, const AuxiliaryVector& auxiliary);

}  // namespace dsm::runtime
