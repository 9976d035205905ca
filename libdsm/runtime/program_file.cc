// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/program_file.h"

#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "libdsm/runtime/elf_check.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

constexpr int kMaxScriptLevels = 5;   // as the kernel
constexpr uint64_t kHeadBytes = 256;  // of a file, where its format shows

int64_t open_executable(const char* path, ProgramFile& program) {
  constexpr int kExecute = 1;
  const int64_t fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (is_error(fd)) {
    program.reason = fd == -EACCES ? "permission denied" : "cannot be opened";
    return fd;
  }
  struct stat status;
  int64_t error = sys(__NR_fstat, fd, &status);
  if (error == 0 && !S_ISREG(status.st_mode)) error = -EACCES;
  if (error == 0) error = sys(__NR_faccessat2, AT_FDCWD, path, kExecute, AT_EACCESS);
  if (error == 0) return fd;
  program.reason = "is not an executable file";
  sys(__NR_close, fd);
  return error;
}

// "#!interpreter [one argument]": puts both and the script's path in place of argv[0]. `path` becomes the interpreter.
int64_t follow_script(char* head, size_t size, char* path, ArgumentList* argv, ProgramFile& program) {
  head[size < kHeadBytes ? size : kHeadBytes - 1] = 0;
  char* line = head + 2;
  char* end = line;
  while (*end != 0 && *end != '\n') end++;
  if (*end == 0 && size >= kHeadBytes) {
    program.reason = "has a #! line that is too long";
    return -ENOEXEC;
  }
  *end = 0;
  while (end > line && (end[-1] == ' ' || end[-1] == '\t')) *--end = 0;
  while (*line == ' ' || *line == '\t') line++;
  if (*line == 0) {
    program.reason = "has an empty #! line";
    return -ENOEXEC;
  }
  char* argument = line;
  while (*argument != 0 && *argument != ' ' && *argument != '\t') argument++;
  if (*argument != 0) *argument++ = 0;
  while (*argument == ' ' || *argument == '\t') argument++;

  int64_t error = 0;
  if (argv != nullptr) {
    if (argv->size() > 0) argv->drop_first();
    error = argv->prepend(path);
    if (error == 0 && *argument != 0) error = argv->prepend(argument);
    if (error == 0) error = argv->prepend(line);
  }
  TextBuffer(path, kPathBytes).text(line);
  return error;
}

int64_t read_elf(const char* head, size_t size, ElfFile& elf, const char** reason) {
  *reason = "is not an ELF program";
  if (size < sizeof elf.header || memcmp(head, ELFMAG, SELFMAG) != 0) return -ENOEXEC;
  if (head[EI_CLASS] == ELFCLASS32) {
    *reason = "is a 32-bit program; only x86-64 programs can be run";
    return -ENOEXEC;
  }
  memcpy(&elf.header, head, sizeof elf.header);
  if (elf.header.e_machine != EM_X86_64) {
    *reason = "is a program for another machine; only x86-64 programs can be run";
    return -ENOEXEC;
  }
  if (elf.header.e_type != ET_EXEC && elf.header.e_type != ET_DYN) return -ENOEXEC;
  *reason = "has a damaged ELF header";
  if (elf.header.e_phentsize != sizeof(Elf64_Phdr) || elf.header.e_phnum == 0 || elf.header.e_phnum > ElfFile::kMaxSegments)
    return -ENOEXEC;
  const uint64_t bytes = elf.header.e_phnum * sizeof(Elf64_Phdr);
  if (sys(__NR_pread64, elf.fd, elf.segment, bytes, elf.header.e_phoff) != static_cast<int64_t>(bytes)) return -ENOEXEC;
  ImageExtent extent;
  *reason = check_segments(elf.header, elf.segment, &extent);
  return *reason == nullptr ? 0 : -ENOEXEC;
}

int64_t read_interpreter(ProgramFile& program) {
  for (unsigned i = 0; i < program.program.header.e_phnum; i++) {
    const Elf64_Phdr& segment = program.program.segment[i];
    if (segment.p_type != PT_INTERP) continue;
    char path[kPathBytes] = {};
    program.reason = "names an ELF interpreter that cannot be used";
    if (segment.p_filesz == 0 || segment.p_filesz >= sizeof path) return -ENOEXEC;
    const int64_t got = sys(__NR_pread64, program.program.fd, path, segment.p_filesz, segment.p_offset);
    if (got != static_cast<int64_t>(segment.p_filesz)) return -ENOEXEC;
    const int64_t fd = open_executable(path, program);
    if (is_error(fd)) return fd;
    program.interpreter.fd = static_cast<int>(fd);
    program.has_interpreter = true;
    char head[kHeadBytes];
    const int64_t size = sys(__NR_pread64, fd, head, sizeof head, 0);
    if (size < 0) return size;
    const int64_t error = read_elf(head, static_cast<size_t>(size), program.interpreter, &program.reason);
    return error == -ENOEXEC ? -ELIBBAD : error;
  }
  return 0;
}

// The file's canonical path, by the kernel's own knowledge of the descriptor.
void note_path(ProgramFile& program) {
  char link[64];
  TextBuffer(link, sizeof link).text("/proc/self/fd/").decimal(program.program.fd);
  const int64_t length = sys(__NR_readlinkat, AT_FDCWD, link, program.path, sizeof program.path - 1);
  program.path[length > 0 ? length : 0] = 0;
}

int64_t open_and_follow(const char* given, ArgumentList* argv, ProgramFile& program) {
  char path[kPathBytes];
  TextBuffer(path, sizeof path).text(given);
  for (int level = 0; level <= kMaxScriptLevels; level++) {
    const int64_t fd = open_executable(path, program);
    if (is_error(fd)) return fd;
    char head[kHeadBytes];
    const int64_t size = sys(__NR_pread64, fd, head, sizeof head, 0);
    if (size >= 2 && head[0] == '#' && head[1] == '!') {
      sys(__NR_close, fd);
      if (const int64_t error = follow_script(head, static_cast<size_t>(size), path, argv, program); error != 0) return error;
      continue;
    }
    program.program.fd = static_cast<int>(fd);
    if (size < 0) return size;
    if (const int64_t error = read_elf(head, static_cast<size_t>(size), program.program, &program.reason); error != 0)
      return error;
    note_path(program);
    return read_interpreter(program);
  }
  program.reason = "is a script whose interpreters are scripts, too many times";
  return -ELOOP;
}

}  // namespace

ElfFile::~ElfFile() {
  if (fd >= 0) sys(__NR_close, fd);
}

int64_t open_program(const char* path, ArgumentList& argv, ProgramFile& program) { return open_and_follow(path, &argv, program); }

int64_t check_program(const char* path, ProgramFile& program) { return open_and_follow(path, nullptr, program); }

}  // namespace dsm::runtime
