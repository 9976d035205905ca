// SPDX-License-Identifier: Apache-2.0
// What the kernel pushes for a signal handler on x86-64, with fixed layout: the register frame and the signal's data.
// The same structs travel between nodes, so every field is ABI. Plain data; any context.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace dsm::runtime {

enum Register : unsigned {
  kR8, kR9, kR10, kR11, kR12, kR13, kR14, kR15, kRdi, kRsi, kRbp, kRbx, kRdx, kRax, kRcx, kRsp, kRip, kFlags,
  kSegments, kErrorCode, kTrapNumber, kOldMask, kCr2,
};
inline constexpr unsigned kRegisters = 23;

struct UserContext {
  uint64_t flags;
  uint64_t link;
  uint64_t stack_base;      // uc_stack: rt_sigreturn installs it as the thread's sigaltstack
  uint32_t stack_flags;
  uint32_t stack_pad;
  uint64_t stack_size;
  uint64_t reg[kRegisters];
  uint64_t fp;              // address of the XSAVE image, or 0
  uint64_t reserved[8];
  uint64_t mask;            // uc_sigmask: rt_sigreturn installs it
};
static_assert(sizeof(UserContext) == 304);
static_assert(offsetof(UserContext, reg) == 40 && offsetof(UserContext, mask) == 296);

struct KernelSigInfo {
  int32_t signo, error, code, pad;
  union {
    struct {
      uint64_t address;
      int32_t number;
      uint32_t arch;
    } call;                                        // SIGSYS
    struct {
      uint64_t address;
    } fault;                                       // SIGSEGV, SIGBUS, SIGFPE, SIGILL
    struct {
      int32_t pid;
      uint32_t uid;
      uint64_t value;
    } sent;                                        // kill, tgkill, sigqueue
    uint8_t bytes[112];
  };
};
static_assert(sizeof(KernelSigInfo) == 128);

// The kernel's struct sigaction.
struct KernelSigAction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};
static_assert(sizeof(KernelSigAction) == 32);

}  // namespace dsm::runtime
