// SPDX-License-Identifier: Apache-2.0
// Context: the only thread of the process, on the stack of its block; traps go on with the last call.
#include "libdsm/runtime/application.h"

#include <asm-generic/errno.h>
#include <linux/auxvec.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>

#include "libdsm/runtime/image_files.h"
#include "libdsm/runtime/register_frame.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/proc_paths.h"
#include "libdsm/runtime/program_loader.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/trap.h"

asm(R"(
    .text
    .globl dsm_jump_to_program
    .hidden dsm_jump_to_program
dsm_jump_to_program:                  # rdi entry, rsi stack pointer
    mov %rsi, %rsp
    mov %rdi, %r11
    xor %eax, %eax
    xor %ebx, %ebx
    xor %ecx, %ecx
    xor %edx, %edx
    xor %esi, %esi
    xor %edi, %edi
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    jmp *%r11
)");

namespace dsm::runtime {
namespace {

extern "C" [[noreturn]] void dsm_jump_to_program(uint64_t entry, uint64_t stack_pointer);

constexpr int kExitNotExecutable = 126, kExitMissing = 127;
constexpr uint64_t kStackGuard = 1 << 20;   // below the stack, as the kernel keeps it

AuxiliaryVector copy_auxiliary_vector(const uint64_t* from) {
  AuxiliaryVector out = {};
  TextBuffer(out.platform, sizeof out.platform).text("x86_64");
  for (;; from += 2) {
    RT_CHECK(out.words + 2 <= AuxiliaryVector::kMaxWords);
    const uint64_t value = from[1];
    if (from[0] == AT_RANDOM) memcpy(out.random, reinterpret_cast<const void*>(value), sizeof out.random);
    if (from[0] == AT_PLATFORM) TextBuffer(out.platform, sizeof out.platform).text(reinterpret_cast<const char*>(value));
    out.word[out.words++] = from[0];
    out.word[out.words++] = value;
    if (from[0] == AT_NULL) return out;
  }
}

void set_vdso_address(AuxiliaryVector& auxiliary, uint64_t address) {
  for (unsigned i = 0; i + 1 < auxiliary.words; i += 2)
    if (auxiliary.word[i] == AT_SYSINFO_EHDR) auxiliary.word[i + 1] = address;
}

// A vdso reads the clock of the host that it runs on without a trap, and its code is that host's kernel's. Programs that are not
// told of one make system calls.
void hide_vdso(AuxiliaryVector& auxiliary) {
  for (unsigned i = 0; i + 1 < auxiliary.words; i += 2)
    if (auxiliary.word[i] == AT_SYSINFO_EHDR) auxiliary.word[i] = AT_IGNORE;
}

void append_all(ArgumentList& list, const char* const* text) {
  for (; *text != nullptr; text++)
    if (list.append(*text) != 0) fail("argument list too long");
}

[[noreturn]] void refuse_program(const char* path, int64_t error, const char* reason) {
  if (error == -ENOENT || error == -ENOTDIR) {
    log("%s: not found%s", path, reason != nullptr && !equal(reason, "cannot be opened") ? " (or what it needs to run)" : "");
    detail::die(kExitMissing);
  }
  log("%s: %s (error %d)", path, reason != nullptr ? reason : "cannot be executed", -error);
  detail::die(kExitNotExecutable);
}

void begin_again() {
  abi::Packet packet = {};
  packet.op = abi::Op::kExecBegin;
  if (const int64_t error = process().control.request(packet); error != 0) fail("the agent refuses the new program (error %d)", -error);
}

struct Entry {
  uint64_t address, stack_pointer;
};

// Everything that keeps resources of its own: they are gone when this returns.
Entry prepare(const ApplicationStart& start) {
  Process& self = process();
  const uint64_t argc = start.stack[0];
  const auto* text = reinterpret_cast<const char* const*>(start.stack + 1);
  const char* const* const environment_text = text + argc + 1;
  ArgumentList argv(self.arena), environment(self.arena);
  char given[kPathBytes];
  TextBuffer(given, sizeof given).text(text[3]);
  append_all(argv, text + 4);
  append_all(environment, environment_text);
  const char* const* end = environment_text;
  while (*end != nullptr) end++;
  AuxiliaryVector auxiliary = copy_auxiliary_vector(reinterpret_cast<const uint64_t*>(end + 1));
  const int64_t length = sys(__NR_readlinkat, AT_FDCWD, "/proc/self/exe", self.runtime_path, sizeof self.runtime_path - 1);
  self.runtime_path[length > 0 ? length : 0] = 0;

  ProgramFile file;
  if (const int64_t error = open_program(given, argv, file); error != 0) refuse_program(given, error, file.reason);
  memcpy(self.program_path, file.path, sizeof self.program_path);
  if (start.held) sys(__NR_close, descriptor_of(given));

  self.private_fds.initialise();
  if (start.alone)
    read_lone_spec(start.descriptors);
  else
    take_descriptors(start.descriptors);
  if (start.again) begin_again();
  clear_address_space();
  set_vdso_address(auxiliary, self.vdso_address);
  if (start.alone)
    take_virtual_cpus();
  else
    greet_as_origin();
  if (self.welcome.origin_clock != 0) hide_vdso(auxiliary);
  signal_install();
  self.memory.initialise(self.arena, abi::kUserEnd);
  InitialStack stack = make_stack_region();
  self.memory.set_top(stack.low - kStackGuard);
  const LoadedProgram program = load_images(file);
  self.memory.set_break(program.break_start);
  fill_stack(stack, program, given, argv, environment, auxiliary);
  sys(__NR_prctl, PR_SET_NAME, base_name(given), 0, 0, 0);
  return {program.entry, stack.pointer};
}

}  // namespace

void take_descriptors(const char* text) {
  Process& self = process();
  self.control.open(to_private_fd(static_cast<int>(parse_decimal(&text))));
  if (*text == ',') self.lone.launcher_fd = to_private_fd(static_cast<int>(parse_decimal(&++text)));
  self.lone.joined = equal(text, ",1");
}

void greet_as_origin() {
  note_standard_files();
  open_memory_and_board();
  greet_agent();
  board::enter(current_thread(), abi::ThreadState::kRunning, process().welcome.node);
  board::count_creation(process().welcome.node);
}

void application_main(const ApplicationStart& start) {
  const Entry entry = prepare(start);
  use_block_as_signal_stack(current_thread());
  trap_on();
  dsm_jump_to_program(entry.address, entry.stack_pointer);
}

}  // namespace dsm::runtime
