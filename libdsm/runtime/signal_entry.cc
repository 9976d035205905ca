// SPDX-License-Identifier: Apache-2.0
// The instructions around the runtime's signal handlers that must be assembly.
#include "libdsm/runtime/signal_entry.h"

asm(R"(
    .text
    .globl dsm_restorer
    .hidden dsm_restorer
    .type dsm_restorer, @function
dsm_restorer:                         # rsp: UserContext
    mov $15, %eax
    syscall
    ud2

    # The trap handler's way out: what was deferred during the call is delivered first. The check and rt_sigreturn are
    # one restartable window (see signal_handlers.cc): a handler that records something in it sets RIP back to ..._begin.
    .globl dsm_trap_restorer, dsm_trap_return_begin, dsm_trap_return_end
    .hidden dsm_trap_restorer, dsm_trap_return_begin, dsm_trap_return_end
    .type dsm_trap_restorer, @function
dsm_trap_restorer:                    # rsp: UserContext, 16-byte aligned
    mov %rsp, %rbx
    call dsm_pending_word
    mov %rax, %r12
dsm_trap_return_begin:
    cmpl $0, (%r12)
    jne 1f
    mov $15, %eax
    syscall
dsm_trap_return_end:
    ud2
1:  mov %rbx, %rdi
    call dsm_deliver_pending
    jmp dsm_trap_return_begin

    .globl dsm_enter_program
    .hidden dsm_enter_program
    .type dsm_enter_program, @function
dsm_enter_program:                    # rdi: UserContext
    mov %rdi, %rsp
    mov $15, %eax
    syscall
    ud2

    # The child starts with fn(argument) on its own stack; the parent returns the kernel's answer.
    .globl dsm_raw_clone
    .hidden dsm_raw_clone
    .type dsm_raw_clone, @function
dsm_raw_clone:                        # rdi clone_args, rsi their size, rdx fn, rcx argument
    mov %rdx, %r8
    mov %rcx, %r9
    mov $435, %eax                    # clone3; the child has the parent's registers but for rax and rsp
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  xor %ebp, %ebp
    mov %r9, %rdi
    call *%r8
    ud2

    .globl dsm_run_on_stack
    .hidden dsm_run_on_stack
    .type dsm_run_on_stack, @function
dsm_run_on_stack:                     # rdi fn, rsi argument, rdx top: never returns
    mov %rdx, %rsp
    xor %ebp, %ebp
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    ud2
)");
