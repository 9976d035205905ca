// SPDX-License-Identifier: Apache-2.0
// The initial stack: argc, argv, envp, auxiliary vector, as the x86-64 ABI lays them out. See program_loader.h.
#include <asm-generic/errno.h>
#include <linux/auxvec.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/program_loader.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kLeastStack = 256 << 10;
constexpr uint64_t kMostStack = 16ull << 30;       // for "unlimited"; address space only
constexpr uint64_t kAtRseqFeatureSize = 27, kAtRseqAlign = 28;

// Writes downwards from the top of the stack.
class StackWriter {
 public:
  explicit StackWriter(InitialStack& stack) : stack_(stack) {}
  uint64_t bytes(const void* from, uint64_t size) {
    if (stack_.pointer - stack_.low < size + abi::kPageSize)
      fail("the program's arguments and environment do not fit into its stack of %d bytes (raise it: ulimit -s)",
           stack_.high - stack_.low);
    stack_.pointer -= size;
    memcpy(reinterpret_cast<void*>(stack_.pointer), from, size);
    return stack_.pointer;
  }
  uint64_t text(const char* from) { return bytes(from, strlen(from) + 1); }
  uint64_t word(uint64_t value) { return bytes(&value, sizeof value); }
  void align(uint64_t unit) { stack_.pointer &= ~(unit - 1); }

 private:
  InitialStack& stack_;
};

// The strings, first one lowest. Returns the address of the first; they follow each other.
uint64_t push_strings(StackWriter& out, const ArgumentList& list, uint64_t end) {
  uint64_t lowest = end;
  for (unsigned i = list.size(); i-- > 0;) lowest = out.text(list[i]);
  return lowest;
}

// The pointers to strings that lie one behind the other from `first`, the null at the end included.
void push_pointers(StackWriter& out, const ArgumentList& list, uint64_t first) {
  uint64_t end = first;
  for (unsigned i = 0; i < list.size(); i++) end += strlen(list[i]) + 1;
  out.word(0);
  for (unsigned i = list.size(); i-- > 0;) {
    end -= strlen(list[i]) + 1;
    out.word(end);
  }
}

uint64_t text_bytes(const ArgumentList& list) {
  uint64_t bytes = 0;
  for (unsigned i = 0; i < list.size(); i++) bytes += strlen(list[i]) + 1;
  return bytes;
}

char* pack(const ArgumentList& list, char* to) {
  for (unsigned i = 0; i < list.size(); i++) {
    const size_t bytes = strlen(list[i]) + 1;
    memcpy(to, list[i], bytes);
    to += bytes;
  }
  return to;
}

// What /proc/self/cmdline, environ and auxv show, where the kernel lets a process say so. It reads the strings from private
// memory only, so they get a copy of their own, which later changes of argv do not reach.
void tell_kernel(const InitialStack& stack, const LoadedProgram& program, const ArgumentList& argv, const ArgumentList& environment,
                 const AuxiliaryVector& auxiliary) {
  char* const text = static_cast<char*>(process().arena.take(text_bytes(argv) + text_bytes(environment) + 1));
  char* const middle = pack(argv, text);
  char* const end = pack(environment, middle);
  prctl_mm_map map = {};
  map.start_code = program.code_start;
  map.end_code = program.code_end;
  map.start_data = program.data_start;
  map.end_data = program.data_end;
  map.start_brk = map.brk = program.break_start;
  map.start_stack = stack.pointer;
  map.arg_start = reinterpret_cast<uint64_t>(text);
  map.arg_end = map.env_start = reinterpret_cast<uint64_t>(middle);
  map.env_end = reinterpret_cast<uint64_t>(end);
  map.auxv = const_cast<__u64*>(reinterpret_cast<const __u64*>(auxiliary.word));
  map.auxv_size = static_cast<__u32>(auxiliary.words * sizeof(uint64_t));
  map.exe_fd = ~0u;
  sys(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);   // not offered by every kernel: cosmetic
}

AuxiliaryVector program_vector(const AuxiliaryVector& kernel, const LoadedProgram& program, uint64_t path, uint64_t platform,
                               uint64_t random) {
  AuxiliaryVector out = {};
  for (unsigned i = 0; i + 1 < kernel.words; i += 2) {
    uint64_t key = kernel.word[i], value = kernel.word[i + 1];
    switch (key) {
      case AT_PHDR: value = program.headers; break;
      case AT_PHENT: value = sizeof(Elf64_Phdr); break;
      case AT_PHNUM: value = program.header_count; break;
      case AT_BASE: value = program.interpreter_base; break;
      case AT_ENTRY: value = program.program_entry; break;
      case AT_EXECFN: value = path; break;
      case AT_PLATFORM: value = platform; break;
      case AT_RANDOM: value = random; break;
      case AT_BASE_PLATFORM: continue;
      case kAtRseqFeatureSize: continue;      // rseq is refused
      case kAtRseqAlign: continue;
      default: break;
    }
    out.word[out.words++] = key;
    out.word[out.words++] = value;
    if (key == AT_NULL) break;
  }
  return out;
}

}  // namespace

InitialStack make_stack_region() {
  struct {
    uint64_t soft, hard;
  } limit = {};
  RT_MUST(sys(__NR_prlimit64, 0, RLIMIT_STACK, nullptr, &limit));
  uint64_t bytes = limit.soft > kMostStack ? kMostStack : page_up(limit.soft);
  if (bytes < kLeastStack) bytes = kLeastStack;
  const uint64_t low = abi::kUserEnd - bytes;
  const int64_t result = process().memory.map(low, bytes, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_STACK | MAP_GROWSDOWN, -1, 0);
  if (is_error(result)) fail("cannot map a stack of %d bytes: error %d", bytes, -result);
  return {low, abi::kUserEnd, abi::kUserEnd};
}

void fill_stack(InitialStack& stack, const LoadedProgram& program, const char* given_path, const ArgumentList& argv,
                const ArgumentList& environment, const AuxiliaryVector& auxiliary) {
  StackWriter out(stack);
  out.word(0);
  const uint64_t path = out.text(given_path);
  const uint64_t environment_text = push_strings(out, environment, stack.pointer);
  const uint64_t argv_text = push_strings(out, argv, stack.pointer);
  const uint64_t platform = out.text(auxiliary.platform);
  out.align(16);
  const uint64_t random = out.bytes(auxiliary.random, sizeof auxiliary.random);

  const AuxiliaryVector vector = program_vector(auxiliary, program, path, platform, random);
  const uint64_t words = 1 + (argv.size() + 1) + (environment.size() + 1) + vector.words;
  out.align(16);
  if (words % 2 != 0) out.word(0);
  out.bytes(vector.word, vector.words * sizeof(uint64_t));
  push_pointers(out, environment, environment_text);
  push_pointers(out, argv, argv_text);
  out.word(argv.size());
  RT_CHECK(stack.pointer % 16 == 0);
  tell_kernel(stack, program, argv, environment, vector);
}

}  // namespace dsm::runtime
