// SPDX-License-Identifier: Apache-2.0
// A worker's requests to its shadow: one message each way.
#include "libdsm/runtime/delegate.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/marshal.h"
#include "libdsm/runtime/signals.h"

namespace dsm::runtime {
namespace {

// Takes from a result what it says about signals.
int64_t finish_result(Call& call, const channel::Result& result) {
  ThreadSignals& signals = call.thread.signals;
  if ((result.header.flags & channel::kHasSignal) != 0)
    __atomic_fetch_or(&signals.pending_word, kPendingKick, __ATOMIC_RELAXED);
  if (result.value == -EINTR) {
    signals.not_made = (result.header.flags & channel::kNotMade) != 0;
    signals.restartable = (result.header.flags & channel::kRestartable) != 0;
    remember_for_restart(call);
  }
  return result.value;
}

// Bytes that this vessel may not write (a page that never leaves the origin) are written there.
int64_t store_at_origin(Thread& thread, channel::Buffer& buffer, uint64_t mask, uint64_t address, const uint8_t* from,
                        size_t bytes) {
  uint8_t copy[channel::kMaxInlineBytes];
  memcpy(copy, from, bytes);
  channel::Syscall message = {{0, channel::Type::kSyscall, channel::kMarshalled}, channel::kStoreNumber, mask, {address}};
  channel::send(thread, message, copy, bytes);
  channel::receive(thread, buffer);
  RT_CHECK(buffer.header().type == channel::Type::kResult);
  return buffer.as<channel::Result>().value;
}

}  // namespace

int64_t delegate(Call& call) {
  Thread& thread = call.thread;
  const uint64_t mask = thread.signals.virtual_mask;
  channel::Syscall message = {{0, channel::Type::kSyscall, 0}, call.number, mask, {}};
  memcpy(message.arg, call.arg, sizeof message.arg);
  if (thread.signals.again) message.header.flags = channel::kAgain;
  if (thread.board != nullptr) thread.board->delegated_calls++;
  thread.signals.shadow_mask = mask;

  channel::Buffer buffer;
  buffer.size = buffer.taken = 0;
  const MarshalRule* rule = marshal_rule(call);
  int64_t packed = -1;
  if (rule != nullptr) {
    uint8_t in[channel::kMaxInlineBytes];
    packed = pack_arguments(*rule, call, in);
    if (packed >= 0) {
      message.header.flags |= channel::kMarshalled;
      channel::send(thread, message, in, static_cast<size_t>(packed));
    }
  }
  if (packed < 0) channel::send(thread, message);
  channel::receive(thread, buffer);
  RT_CHECK(buffer.header().type == channel::Type::kResult);
  const int64_t value = finish_result(call, buffer.as<channel::Result>());
  if (packed < 0) return value;

  const uint8_t* rest = nullptr;
  size_t rest_bytes = 0;
  const int failed = unpack_results(*rule, call, value, buffer.tail(), buffer.header().bytes, &rest, &rest_bytes);
  if (failed == 0) return value;
  const int64_t stored = store_at_origin(thread, buffer, mask, call.arg[failed - 1], rest, rest_bytes);
  return stored == 0 ? value : -EFAULT;
}

int64_t delegate_mask(Thread& thread, uint64_t mask) {
  channel::Mask message = {{0, channel::Type::kMask, 0}, mask};
  channel::send(thread, message);
  channel::Buffer buffer;
  buffer.size = buffer.taken = 0;
  channel::receive(thread, buffer);
  RT_CHECK(buffer.header().type == channel::Type::kResult);
  thread.signals.shadow_mask = mask;
  const auto& result = buffer.as<channel::Result>();
  if ((result.header.flags & channel::kHasSignal) != 0)
    __atomic_fetch_or(&thread.signals.pending_word, kPendingKick, __ATOMIC_RELAXED);
  return result.value;
}

int64_t delegate_clone(Call& call, const channel::CloneRequest& request) {
  Thread& thread = call.thread;
  Frame frame;
  capture_frame(frame, *call.user);
  channel::Clone message = {};
  message.header.type = channel::Type::kClone;
  message.request = request;
  message.baggage = baggage_of(thread, thread.signals.virtual_mask);
  message.registers = {frame.context, frame.fs_base, frame.gs_base};
  channel::send(thread, message, frame.fp, frame.fp_bytes);
  channel::Buffer buffer;
  buffer.size = buffer.taken = 0;
  channel::receive(thread, buffer);
  RT_CHECK(buffer.header().type == channel::Type::kResult);
  return finish_result(call, buffer.as<channel::Result>());
}

channel::Baggage baggage_of(const Thread& thread, uint64_t mask) {
  return {mask, thread.signals.alt_stack, thread.remote.robust_head, thread.remote.robust_bytes, 0, 0, 0, 0};
}

void unpack_registers(Frame& frame, const channel::Registers& registers, const uint8_t* fp, size_t fp_bytes) {
  RT_CHECK(fp_bytes <= kMaxFpBytes);
  frame.context = registers.context;
  frame.fs_base = registers.fs_base;
  frame.gs_base = registers.gs_base;
  frame.fp_bytes = static_cast<uint32_t>(fp_bytes);
  memcpy(frame.fp, fp, fp_bytes);
  frame.context.fp = fp_bytes != 0 ? reinterpret_cast<uint64_t>(frame.fp) : 0;
}

}  // namespace dsm::runtime
