// SPDX-License-Identifier: Apache-2.0
// Mapping of ELF images. See program_loader.h.
#include <linux/mman.h>

#include "libdsm/runtime/elf_check.h"
#include "libdsm/runtime/program_loader.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

// Where the kernel puts position-independent programs without randomisation.
constexpr uint64_t kPieBase = 0x555555554000;

// open_program() has checked it.
ImageExtent extent_of(const ElfFile& elf) {
  ImageExtent extent;
  if (const char* reason = check_segments(elf.header, elf.segment, &extent)) fail("the program %s", reason);
  return extent;
}

uint64_t map_or_fail(uint64_t start, uint64_t bytes, uint64_t prot, uint64_t flags, int fd, uint64_t offset) {
  const int64_t result = process().memory.map(start, bytes, prot, flags, fd, offset);
  if (is_error(result)) fail("cannot map the program at %x (%d bytes): error %d", start, bytes, -result);
  return static_cast<uint64_t>(result);
}

// The rest of a page of the file. A segment that lies beyond the end of its file has no such page: the kernel's execve ends
// with SIGSEGV there, past the point of no return as we are.
void clear_or_die(uint64_t start, uint64_t bytes) {
  static const uint8_t kZeros[abi::kPageSize] = {};
  RT_CHECK(bytes < sizeof kZeros);
  if (copy_to_program(start, kZeros, bytes) == 0) return;
  KernelSigInfo info = {};
  info.signo = kSigSegv;
  info.code = 0x80;   // SI_KERNEL
  die_by_signal(kSigSegv, info);
}

void map_segment(const ElfFile& elf, const Elf64_Phdr& segment, uint64_t bias) {
  const uint64_t prot = ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
                        ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
  const uint64_t start = page_down(segment.p_vaddr + bias);
  const uint64_t file_end = segment.p_vaddr + bias + segment.p_filesz;
  const uint64_t memory_end = segment.p_vaddr + bias + segment.p_memsz;
  uint64_t mapped_end = start;
  if (segment.p_filesz > 0) {
    mapped_end = page_up(file_end);
    map_or_fail(start, file_end - start, prot, MAP_PRIVATE | MAP_FIXED, elf.fd, page_down(segment.p_offset));
    // What follows the file's bytes in the last page is .bss.
    if (memory_end > file_end && (prot & PROT_WRITE) != 0)
      clear_or_die(file_end, mapped_end - file_end);
  }
  if (page_up(memory_end) > mapped_end)
    map_or_fail(mapped_end, memory_end - mapped_end, prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
}

void map_image(const ElfFile& elf, uint64_t bias) {
  for (unsigned i = 0; i < elf.header.e_phnum; i++)
    if (elf.segment[i].p_type == PT_LOAD) map_segment(elf, elf.segment[i], bias);
}

uint64_t headers_address(const ElfFile& elf, uint64_t bias) {
  for (unsigned i = 0; i < elf.header.e_phnum; i++) {
    const Elf64_Phdr& segment = elf.segment[i];
    if (segment.p_type == PT_LOAD && elf.header.e_phoff >= segment.p_offset &&
        elf.header.e_phoff < segment.p_offset + segment.p_filesz)
      return bias + segment.p_vaddr + (elf.header.e_phoff - segment.p_offset);
  }
  return 0;
}

void note_code_and_data(const ElfFile& elf, uint64_t bias, LoadedProgram& loaded) {
  loaded.code_start = loaded.data_start = ~0ull;
  for (unsigned i = 0; i < elf.header.e_phnum; i++) {
    const Elf64_Phdr& segment = elf.segment[i];
    if (segment.p_type != PT_LOAD) continue;
    const uint64_t start = segment.p_vaddr + bias, end = start + segment.p_filesz;
    if ((segment.p_flags & PF_X) != 0) {
      if (start < loaded.code_start) loaded.code_start = start;
      if (end > loaded.code_end) loaded.code_end = end;
    }
    if (start < loaded.data_start) loaded.data_start = start;
    if (end > loaded.data_end) loaded.data_end = end;
  }
}

}  // namespace

LoadedProgram load_images(const ProgramFile& file) {
  LoadedProgram loaded = {};
  const ElfFile& program = file.program;
  const ImageExtent extent = extent_of(program);
  uint64_t bias = 0;
  if (program.header.e_type == ET_DYN) bias = (kPieBase & ~(extent.align - 1)) - extent.low;
  if (extent.low + bias < abi::kUserBegin) fail("the program wants address %x, which is below %x", extent.low, abi::kUserBegin);
  map_image(program, bias);
  loaded.program_entry = loaded.entry = program.header.e_entry + bias;
  loaded.headers = headers_address(program, bias);
  loaded.header_count = program.header.e_phnum;
  loaded.break_start = extent.high + bias;
  note_code_and_data(program, bias, loaded);

  if (file.has_interpreter) {
    const ImageExtent linker = extent_of(file.interpreter);
    uint64_t linker_bias = 0;
    if (file.interpreter.header.e_type == ET_DYN) {
      const uint64_t place = process().memory.find_room(linker.high - linker.low, linker.align);
      if (place == 0) fail("no room for the program's ELF interpreter");
      linker_bias = place - linker.low;
    }
    map_image(file.interpreter, linker_bias);
    loaded.interpreter_base = linker_bias + linker.low;
    loaded.entry = file.interpreter.header.e_entry + linker_bias;
  }
  return loaded;
}

}  // namespace dsm::runtime
