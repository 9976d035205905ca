// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/register_frame.h"

#include <asm-generic/errno.h>
#include <asm/prctl.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/signal_entry.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/sys.h"
#include "libdsm/runtime/trap.h"

namespace dsm::runtime {
namespace {

constexpr uint32_t kFpMagic1 = 0x46505853;     // FP_XSTATE_MAGIC1
constexpr uint32_t kLegacyFpBytes = 512;       // FXSAVE
constexpr unsigned kSoftwareBytes = 464;       // struct _fpx_sw_bytes: magic1, extended_size, xfeatures, xstate_size

uint32_t load32(const void* base, unsigned offset) {
  uint32_t value;
  memcpy(&value, static_cast<const char*>(base) + offset, sizeof value);
  return value;
}

}  // namespace

uint32_t fp_image_bytes(const void* fp) {
  if (fp == nullptr) return 0;
  return load32(fp, kSoftwareBytes) == kFpMagic1 ? load32(fp, kSoftwareBytes + 4) : kLegacyFpBytes;
}

void capture_frame(Frame& frame, const UserContext& context) {
  frame.context = context;
  const void* fp = reinterpret_cast<const void*>(context.fp);
  frame.fp_bytes = fp_image_bytes(fp);
  RT_CHECK(frame.fp_bytes <= kMaxFpBytes);
  memcpy(frame.fp, fp, frame.fp_bytes);
  frame.context.fp = frame.fp_bytes != 0 ? reinterpret_cast<uint64_t>(frame.fp) : 0;
  frame.fs_base = get_fs_base();
  frame.gs_base = get_gs_base();
}

void replace_context(UserContext& live, const Frame& frame) {
  const UserContext kernel = live;
  live = frame.context;
  live.stack_base = kernel.stack_base;
  live.stack_flags = kernel.stack_flags;
  live.stack_size = kernel.stack_size;
  live.fp = kernel.fp;
  void* fp = reinterpret_cast<void*>(kernel.fp);
  RT_CHECK(frame.fp_bytes <= fp_image_bytes(fp));
  memcpy(fp, frame.fp, frame.fp_bytes);
}

Frame& start_frame(Thread& thread) {
  return *reinterpret_cast<Frame*>((thread.stack_bottom() + 63) & ~63ull);
}

uint64_t start_stack_bottom(Thread& thread) { return reinterpret_cast<uint64_t>(&start_frame(thread) + 1); }
uint64_t start_stack_top(Thread& thread) { return thread.stack_top() & ~63ull; }

void use_block_as_signal_stack(Thread& thread) {
  const uint64_t base = start_stack_bottom(thread);
  const AltStack stack = {base, 0, 0, start_stack_top(thread) - base};
  const int64_t error = sys(__NR_sigaltstack, &stack, nullptr);
  RT_CHECK(error == 0 || error == -EPERM);   // EPERM: we stand on it already
}

void enter_frame(Thread& thread, Frame& frame) {
  RT_MUST(sys(__NR_arch_prctl, ARCH_SET_FS, frame.fs_base));
  if (frame.gs_base != 0 || get_gs_base() != 0) RT_MUST(sys(__NR_arch_prctl, ARCH_SET_GS, frame.gs_base));
  UserContext& context = frame.context;
  context.stack_base = start_stack_bottom(thread);
  context.stack_flags = 0;
  context.stack_size = start_stack_top(thread) - context.stack_base;
  context.fp = frame.fp_bytes != 0 ? reinterpret_cast<uint64_t>(frame.fp) : 0;
  context.mask = without_reserved(context.mask);
  trap_on();
  dsm_enter_program(&context);
}

void set_program_stack(UserContext& context, const AltStack& stack) {
  constexpr uint32_t kDisabled = 2;
  context.stack_base = stack.base;
  context.stack_flags = stack.size != 0 ? stack.flags : kDisabled;
  context.stack_size = stack.size;
}

uint64_t get_fs_base() {
  uint64_t base = 0;
  RT_MUST(sys(__NR_arch_prctl, ARCH_GET_FS, &base));
  return base;
}

uint64_t get_gs_base() {
  uint64_t base = 0;
  RT_MUST(sys(__NR_arch_prctl, ARCH_GET_GS, &base));
  return base;
}

}  // namespace dsm::runtime
