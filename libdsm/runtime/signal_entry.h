// SPDX-License-Identifier: Apache-2.0
// Assembly entries and exits of runtime code (signal_entry.cc). Any context.
#pragma once
#include "libdsm/runtime/user_context.h"

namespace dsm::runtime {

struct Thread;
struct KernelCloneArgs;

extern "C" {
// sa_restorer of all handlers but the trap's.
void dsm_restorer();
// sa_restorer of the trap handler: delivers what is pending, then rt_sigreturn.
void dsm_trap_restorer();
extern const char dsm_trap_return_begin[], dsm_trap_return_end[];
// rt_sigreturn into a context in runtime memory.
[[noreturn]] void dsm_enter_program(UserContext* context);
// clone3(2) with fn(argument) as the child's start, on the stack that `args` name (16-byte aligned). TLS is inherited.
int64_t dsm_raw_clone(const KernelCloneArgs* args, uint64_t args_bytes, void (*fn)(Thread*), Thread* argument);
// fn(argument) with a fresh stack; what was on the stack is gone.
[[noreturn]] void dsm_run_on_stack(void (*fn)(Thread*), Thread* argument, uint64_t top);
}

}  // namespace dsm::runtime
