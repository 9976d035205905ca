// SPDX-License-Identifier: Apache-2.0
// From a path to an ELF image that can be loaded: permissions, #! lines, format. Changes nothing but the argument list, so execve
// can still fail afterwards. Errors are those of execve.
#pragma once
#include <linux/elf.h>

#include "libdsm/runtime/argument_list.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {

struct ElfFile {
  int fd = -1;
  Elf64_Ehdr header;
  static constexpr unsigned kMaxSegments = 64;
  Elf64_Phdr segment[kMaxSegments];

  ElfFile() = default;
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;
  ~ElfFile();
};

struct ProgramFile {
  ElfFile program, interpreter;
  bool has_interpreter = false;
  char path[kPathBytes];              // of the ELF program, absolute, as /proc/self/exe shall show it
  const char* reason = nullptr;       // one phrase for people when it failed
};

// Opens `path` (AT_FDCWD) and follows #! lines, which put themselves in front of argv. 0 or -errno.
int64_t open_program(const char* path, ArgumentList& argv, ProgramFile& program);
// The same without arguments: what execve would say.
int64_t check_program(const char* path, ProgramFile& program);

}  // namespace dsm::runtime
