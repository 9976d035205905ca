// SPDX-License-Identifier: Apache-2.0
// Raw system calls of the runtime: the result is what the kernel returned (0.. or -errno); there is no errno.
//
// Any context. These are the only instructions in the program's address space that reach the kernel without a trap:
// Syscall User Dispatch allows the runtime's text and nothing else.
#pragma once
#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

namespace dsm::runtime {

inline int64_t syscall6(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  register uint64_t r10 asm("r10") = d;
  register uint64_t r8 asm("r8") = e;
  register uint64_t r9 asm("r9") = f;
  int64_t result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

namespace detail {
template <typename T>
inline uint64_t word(T value) {
  if constexpr (__is_enum(T))
    return static_cast<uint64_t>(static_cast<int64_t>(value));
  else
    return static_cast<uint64_t>(value);   // a signed value is sign-extended, as the C library does it
}
template <typename T>
inline uint64_t word(T* value) {
  return reinterpret_cast<uint64_t>(value);
}
inline uint64_t word(decltype(nullptr)) { return 0; }
}  // namespace detail

// sys(__NR_read, fd, buffer, size): up to six arguments of integer, enum or pointer type.
template <typename... Args>
inline int64_t sys(int64_t number, Args... args) {
  static_assert(sizeof...(Args) <= 6);
  uint64_t word[6 + 1] = {detail::word(args)...};
  return syscall6(number, word[0], word[1], word[2], word[3], word[4], word[5]);
}

inline bool is_error(int64_t result) { return static_cast<uint64_t>(result) >= static_cast<uint64_t>(-4095); }

// The call in `arg`, unless a signal waits: returns kNotMade without entering the kernel when *pending names more than a move.
// The check and the syscall instruction are one restartable window: a runtime signal handler that interrupts between
// ..._begin (inclusive) and ..._end (exclusive) sets RIP to ..._abort, so a signal recorded there is never slept over.
//
// All handlers of the program's signals are SA_RESTART for the kernel, whatever the program said, because that shows which
// calls it would make again (ERESTARTSYS): for those it sets RIP back to the instruction, and the runtime's handler sends
// it to ..._restart; all other interrupted calls return -EINTR. A call that the kernel was about to go on with by
// restart_syscall(2) goes to ..._eintr.
inline constexpr int64_t kNotMade = -513;      // the kernel's ERESTARTNOINTR
inline constexpr int64_t kRestartable = -512;  // interrupted, and made again under SA_RESTART: the kernel's ERESTARTSYS
extern "C" int64_t dsm_interruptible_syscall(int64_t number, const uint64_t arg[6], const uint32_t* pending);
extern "C" const char dsm_interruptible_begin[], dsm_interruptible_end[], dsm_interruptible_abort[],
    dsm_interruptible_instruction[], dsm_interruptible_restart[], dsm_interruptible_eintr[];

// Copies between program memory and the runtime's own (use uaccess.h). Returns 0, or the number of bytes not copied when
// the program's address is bad: the SIGSEGV/SIGBUS (and refusal) handler sends a fault in [begin,end) to ..._fault.
extern "C" size_t dsm_user_copy(void* to, const void* from, size_t bytes);
extern "C" const char dsm_user_copy_begin[], dsm_user_copy_end[], dsm_user_copy_fault[];

// Makes the word's page present and writable here without changing it. 0, or 1 when the address is bad.
extern "C" uint64_t dsm_user_or_zero(uint32_t* word);
extern "C" const char dsm_user_or_begin[], dsm_user_or_end[], dsm_user_or_fault[];

// Runs fn(argument) with the stack pointer at `top` (16-byte aligned) and returns.
extern "C" void dsm_call_on_stack(void (*fn)(void*), void* argument, uint64_t top);

// Bounds of the runtime's text, from the linker script: the range that Syscall User Dispatch allows.
extern "C" const char __executable_start[] __attribute__((visibility("hidden")));
extern "C" const char etext[] __attribute__((visibility("hidden")));

}  // namespace dsm::runtime
