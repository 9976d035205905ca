// SPDX-License-Identifier: Apache-2.0
// The program's signal frames, laid out as the kernel lays them out, so that unwinders, garbage collectors and
// handlers that edit their ucontext find what they know.
//
// Context: trap handler or signal handler that has interrupted program code. Program memory is reached by uaccess.
#include "libdsm/runtime/register_frame.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kRedZone = 128;
constexpr uint32_t kStackOn = 1, kStackDisabled = 2, kStackAutoDisarm = 1u << 31;
constexpr uint64_t kTrapFlag = 1 << 8, kDirectionFlag = 1 << 10, kResumeFlag = 1 << 16;

struct SignalFrame {       // the kernel's struct rt_sigframe
  uint64_t restorer;
  UserContext context;
  KernelSigInfo info;
};
static_assert(sizeof(SignalFrame) == 440);

bool is_set(const AltStack& stack) { return stack.size != 0 && (stack.flags & kStackDisabled) == 0; }

// One that disarms itself is never stood on: the next handler begins at its top again.
bool on_alt_stack(const AltStack& stack, uint64_t sp) {
  return is_set(stack) && (stack.flags & kStackAutoDisarm) == 0 && sp > stack.base && sp - stack.base <= stack.size;
}

// Handlers start with a clean floating-point state, as from the kernel.
void reset_fp(void* fp) {
  constexpr uint32_t kInitialMxcsr = 0x1f80;
  constexpr uint16_t kInitialControl = 0x37f;
  const uint32_t bytes = fp_image_bytes(fp);
  if (bytes == 0) return;
  char* image = static_cast<char*>(fp);
  memset(image, 0, 416);                                   // x87 and SSE registers; software bytes stay
  memcpy(image, &kInitialControl, sizeof kInitialControl);
  memcpy(image + 24, &kInitialMxcsr, sizeof kInitialMxcsr);
  if (bytes > 512) memset(image + 512, 0, 8);              // XSTATE_BV: every component in its initial state
}

// Bytes that the frame's floating-point image claims, -EFAULT if it cannot be read.
int64_t program_fp_bytes(uint64_t fp) {
  uint32_t software[2];
  if (copy_from_program(software, fp + 464, sizeof software) != 0) return -EFAULT;
  return software[0] == 0x46505853 ? software[1] : 512;
}

}  // namespace

uint64_t program_mask(const Thread& thread, const UserContext& user) {
  return is_vessel() ? thread.signals.virtual_mask : user.mask;
}

void set_program_mask(Thread& thread, UserContext& user, uint64_t mask) {
  mask = without_reserved(mask);
  if (is_vessel())
    thread.signals.virtual_mask = mask;   // the vessel's kernel has no signal for the program
  else
    user.mask = mask;
}

bool enter_handler(Thread& thread, UserContext& user, const KernelSigInfo& info, const KernelSigAction& action,
                   uint64_t saved_mask, uint64_t base_mask) {
  AltStack& alt = thread.signals.alt_stack;
  uint64_t sp = user.reg[kRsp] - kRedZone;
  const bool nested = on_alt_stack(alt, user.reg[kRsp]);
  const bool entering = (action.flags & kSaOnStack) != 0 && !nested && is_set(alt);
  if (entering) sp = alt.base + alt.size;
  void* fp = reinterpret_cast<void*>(user.fp);
  const uint32_t fp_bytes = fp_image_bytes(fp);
  sp = (sp - fp_bytes) & ~63ull;
  const uint64_t fp_address = sp;
  const uint64_t frame_address = ((sp - sizeof(SignalFrame)) & ~15ull) - 8;
  if ((nested || entering) && frame_address - alt.base > alt.size) return false;   // no room on the alternate stack

  SignalFrame frame;
  frame.restorer = action.restorer;
  frame.context = user;
  frame.context.link = 0;
  frame.context.stack_base = alt.base;
  frame.context.stack_flags = is_set(alt) ? alt.flags : kStackDisabled;
  frame.context.stack_size = alt.size;
  frame.context.fp = fp_bytes != 0 ? fp_address : 0;
  frame.context.mask = saved_mask;
  frame.info = info;
  if (fp_bytes != 0 && copy_to_program(fp_address, fp, fp_bytes) != 0) return false;
  if (write_program(frame_address, frame) != 0) return false;

  if ((alt.flags & kStackAutoDisarm) != 0) alt = AltStack{0, kStackDisabled, 0, 0};
  user.reg[kRdi] = static_cast<uint64_t>(info.signo);
  user.reg[kRsi] = frame_address + offsetof(SignalFrame, info);
  user.reg[kRdx] = frame_address + offsetof(SignalFrame, context);
  user.reg[kRax] = 0;
  user.reg[kRsp] = frame_address;
  user.reg[kRip] = action.handler;
  user.reg[kFlags] &= ~(kTrapFlag | kDirectionFlag | kResumeFlag);
  reset_fp(fp);
  uint64_t mask = base_mask | action.mask;
  if ((action.flags & kSaNoDefer) == 0) mask |= signal_bit(info.signo);
  set_program_mask(thread, user, mask);
  return true;
}

bool leave_handler(Thread& thread, UserContext& user) {
  const uint64_t address = user.reg[kRsp];   // the handler's return has taken `restorer` off
  Frame frame;
  if (read_program(frame.context, address) != 0) return false;
  const uint64_t fp = frame.context.fp;
  frame.fp_bytes = 0;
  if (fp != 0) {
    const int64_t bytes = program_fp_bytes(fp);
    if (bytes < 512 || bytes > fp_image_bytes(reinterpret_cast<void*>(user.fp))) return false;
    if (copy_from_program(frame.fp, fp, static_cast<size_t>(bytes)) != 0) return false;
    frame.fp_bytes = static_cast<uint32_t>(bytes);
  }
  AltStack& alt = thread.signals.alt_stack;
  if (!on_alt_stack(alt, frame.context.reg[kRsp]))
    alt = AltStack{frame.context.stack_base, frame.context.stack_flags & ~kStackOn, 0, frame.context.stack_size};
  const uint64_t mask = frame.context.mask;
  const uint64_t kernel_mask = user.mask;
  replace_context(user, frame);
  user.mask = kernel_mask;
  if (fp == 0) reset_fp(reinterpret_cast<void*>(user.fp));
  set_program_mask(thread, user, mask);
  return true;
}

}  // namespace dsm::runtime
