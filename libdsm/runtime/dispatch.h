// SPDX-License-Identifier: Apache-2.0
// The system call table. Each number has a class, at most one handler for the origin and one for a vessel, and flags; the
// rules stand in the files of the families (memory_calls.cc, thread_calls.cc, signal_calls.cc, file_calls.cc,
// time_calls.cc, process_calls.cc). A number without a rule is delegated and runs natively at the origin.
//
// Context of a handler: on the stack of the thread's block, either in the trap handler (the program's registers are in
// *call.user) or in a shadow on behalf of a thread on another node (call.user is nullptr; program memory is reached through
// the same addresses). It may block, fault on program memory and take locks in the order of lock.h. It returns what
// the program finds in RAX.
#pragma once
#include <stddef.h>

#include "libdsm/runtime/user_context.h"

namespace dsm::runtime {

struct Thread;

struct Call {
  Thread& thread;
  UserContext* user;
  int64_t number;
  uint64_t arg[6];
};

// Not a result: the handler has changed *call.user (or given the thread away) and RAX must stay as it is there.
inline constexpr int64_t kNoResult = -0x7fff'0000'0000'0001;

enum class CallClass : uint8_t {
  kDelegated,    // runs at the origin: by `origin`, natively if that is nullptr; a vessel sends it to the shadow
  kLocal,        // runs where the thread is: by `origin`/`vessel`, natively if nullptr
  kMarshalled,   // at the origin as kDelegated; in a vessel by `vessel`, which packs the arguments' bytes itself
  kRefused,      // -error everywhere, so that programs fall back
};

enum CallFlags : uint8_t {
  kMayBlock = 1,         // may sleep for long: the thread board says kBlocked meanwhile
};

using CallHandler = int64_t (*)(Call&);

struct CallRule {
  uint16_t number;
  CallClass where;
  uint8_t flags;
  int16_t error;          // kRefused
  CallHandler origin;
  CallHandler vessel;
};

struct CallRules {
  const CallRule* rule;
  size_t count;
};
template <size_t N>
constexpr CallRules rules_of(const CallRule (&rule)[N]) {
  return {rule, N};
}

CallRules memory_call_rules();
CallRules thread_call_rules();
CallRules signal_call_rules();
CallRules file_call_rules();
CallRules time_call_rules();
CallRules process_call_rules();

class DispatchTable {
 public:
  // Collects the rules of all families; two rules for one number are a bug.
  void initialise();
  const CallRule& rule(int64_t number) const {
    return number >= 0 && number < kNumbers && by_number_[number] != nullptr ? *by_number_[number] : kDefault;
  }
  // The one of a lone process (lone_process.h).
  const CallRule& lone_rule(int64_t number) const {
    return number >= 0 && number < kNumbers && lone_[number] != nullptr ? *lone_[number] : rule(number);
  }

 private:
  static constexpr int64_t kNumbers = 512;
  static const CallRule kDefault;
  const CallRule* by_number_[kNumbers] = {};
  const CallRule* lone_[kNumbers] = {};
};

// The call as the origin makes it, for its own threads and for shadows alike.
int64_t run_at_origin(Call& call);
// The call as a vessel makes it.
int64_t run_at_vessel(Call& call);
// Straight to the kernel, but returns -EINTR without a call when a signal waits for the thread.
int64_t run_natively(Call& call);

// Ships the call to the thread's shadow and waits for the result (shadow channel, vessel only).
int64_t delegate(Call& call);

}  // namespace dsm::runtime
