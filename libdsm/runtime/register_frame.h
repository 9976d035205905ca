// SPDX-License-Identifier: Apache-2.0
// The register state of a thread at one instruction: the kernel's signal frame (ucontext and XSAVE image). The one format
// of clone, shipping, migration and signals. Any context.
#pragma once
#include "libdsm/runtime/thread.h"
#include "libdsm/runtime/user_context.h"

namespace dsm::runtime {

// The largest XSAVE image that is shipped: AVX-512 needs 2.7 KiB, AMX 11 KiB.
inline constexpr uint32_t kMaxFpBytes = 14 << 10;

struct alignas(64) Frame {
  UserContext context;
  uint64_t fs_base;
  uint64_t gs_base;
  uint32_t fp_bytes;
  uint32_t pad;
  alignas(64) uint8_t fp[kMaxFpBytes];
};

// Bytes of the XSAVE image at `fp` (trusted memory: made by the kernel), with its trailing magic; 0 for nullptr.
uint32_t fp_image_bytes(const void* fp);

// The state in `context` (of the running thread, on its runtime stack) as a frame of its own.
void capture_frame(Frame& frame, const UserContext& context);

// `live` (in the kernel's frame of a handler that is running) becomes `frame`: the handler's return goes there.
void replace_context(UserContext& live, const Frame& frame);

// Where a thread's first frame here stands, and the one with which it leaves: at the low end of its block's stack, which
// proper begins behind it.
Frame& start_frame(Thread& thread);
uint64_t start_stack_bottom(Thread& thread);
uint64_t start_stack_top(Thread& thread);

// Sets FS and GS, the alternate stack and the traps, and goes where `frame` says. `frame` lies in runtime memory.
[[noreturn]] void enter_frame(Thread& thread, Frame& frame);

// The alternate signal stack of the calling kernel thread := the stack of its block.
void use_block_as_signal_stack(Thread& thread);

// The return to `context` gives the kernel thread the program's own alternate stack: traps are over.
void set_program_stack(UserContext& context, const AltStack& stack);

uint64_t get_fs_base();
uint64_t get_gs_base();

}  // namespace dsm::runtime
