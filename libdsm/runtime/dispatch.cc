// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/dispatch.h"

#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/dsm_hints.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"

namespace dsm::runtime {
namespace {

// Says on the thread board that the thread is in a call that may sleep. The store on the way back pairs with the
// agent's acquire: what it sees as kRunning may use pages again. A request to move that came meanwhile is announced.
class BlockedScope {
 public:
  BlockedScope(Thread& thread, bool may_block) : slot_(may_block ? thread.board : nullptr) {
    thread_ = &thread;
    if (slot_ == nullptr) return;
    before_ = load_relaxed(slot_->state);
    store_relaxed(slot_->state, abi::ThreadState::kBlocked);
  }
  ~BlockedScope() {
    if (slot_ != nullptr && board::set_state_and_look(*thread_, before_)) announce_request(*thread_);
  }
  BlockedScope(const BlockedScope&) = delete;
  BlockedScope& operator=(const BlockedScope&) = delete;

 private:
  // A shadow looks by itself when it answers. In a vessel there are no requests, only kicks.
  static void announce_request(Thread& thread) {
    if (thread.remote.kind != ThreadKind::kShadow) __atomic_fetch_or(&thread.signals.pending_word, kPendingMove, __ATOMIC_RELAXED);
  }

  Thread* thread_ = nullptr;
  abi::ThreadSlot* slot_;
  abi::ThreadState before_ = abi::ThreadState::kRunning;
};

}  // namespace

const CallRule DispatchTable::kDefault = {0, CallClass::kDelegated, kMayBlock, 0, nullptr, nullptr};

void DispatchTable::initialise() {
  const CallRules families[] = {memory_call_rules(), thread_call_rules(), signal_call_rules(),
                                file_call_rules(),   time_call_rules(),   process_call_rules()};
  for (const CallRules& family : families)
    for (size_t i = 0; i < family.count; i++) {
      const CallRule& rule = family.rule[i];
      if (rule.number >= kNumbers || by_number_[rule.number] != nullptr) fail("BUG: two rules for system call %d", rule.number);
      by_number_[rule.number] = &rule;
    }
  const CallRules lone = lone_call_rules();
  for (size_t i = 0; i < lone.count; i++) lone_[lone.rule[i].number] = &lone.rule[i];
}

int64_t run_natively(Call& call) {
  return blocking_call(call);
}

int64_t run_at_origin(Call& call) {
  if (is_dsm_call(call.number)) return dsm_call(call);
  const Process& self = process();
  const CallRule& rule = self.lone.alone ? self.calls.lone_rule(call.number) : self.calls.rule(call.number);
  if (rule.where == CallClass::kRefused) return process().refusals.refuse(call.number, rule.error);
  const BlockedScope scope(call.thread, (rule.flags & kMayBlock) != 0);
  return rule.origin != nullptr ? rule.origin(call) : run_natively(call);
}

int64_t run_at_vessel(Call& call) {
  if (is_local_dsm_call(call.number)) return dsm_call(call);
  const CallRule& rule = process().calls.rule(call.number);
  switch (rule.where) {
    case CallClass::kRefused:
      return process().welcome.verbose != 0 ? delegate(call) : -rule.error;   // named at the origin, once
    case CallClass::kLocal: {
      if (call.thread.board != nullptr) call.thread.board->local_calls++;
      const BlockedScope scope(call.thread, (rule.flags & kMayBlock) != 0);
      return rule.vessel != nullptr ? rule.vessel(call) : run_natively(call);
    }
    case CallClass::kMarshalled: {
      const BlockedScope scope(call.thread, (rule.flags & kMayBlock) != 0);
      return rule.vessel(call);
    }
    case CallClass::kDelegated:
      break;
  }
  const BlockedScope scope(call.thread, (rule.flags & kMayBlock) != 0);
  return rule.vessel != nullptr ? rule.vessel(call) : delegate(call);
}

}  // namespace dsm::runtime
