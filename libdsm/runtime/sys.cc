// SPDX-License-Identifier: Apache-2.0
// The few routines that must be assembly, because a signal handler reasons about their instructions one by one.
#include "libdsm/runtime/sys.h"

asm(R"(
    .text
    .globl dsm_interruptible_syscall, dsm_interruptible_begin, dsm_interruptible_end, dsm_interruptible_abort
    .globl dsm_interruptible_instruction, dsm_interruptible_restart, dsm_interruptible_eintr
    .hidden dsm_interruptible_syscall, dsm_interruptible_begin, dsm_interruptible_end, dsm_interruptible_abort
    .hidden dsm_interruptible_instruction, dsm_interruptible_restart, dsm_interruptible_eintr
    .type dsm_interruptible_syscall, @function
dsm_interruptible_syscall:            # rdi number, rsi arg[6], rdx pending
    push %rbx
    mov %rdx, %rbx
    mov %rdi, %rax
    mov %rsi, %r11
    mov 0(%r11), %rdi
    mov 8(%r11), %rsi
    mov 16(%r11), %rdx
    mov 24(%r11), %r10
    mov 32(%r11), %r8
    mov 40(%r11), %r9
    xor %ecx, %ecx                    # `syscall` leaves the address behind it here, so RCX tells whether it was executed
dsm_interruptible_begin:
    testl $0xff, (%rbx)               # kPendingMove waits for the end of the call
    jne dsm_interruptible_abort
dsm_interruptible_instruction:
    syscall
dsm_interruptible_end:                # RIP here: the call has its result
    pop %rbx
    ret
dsm_interruptible_restart:
    mov $-512, %rax                   # kRestartable
    pop %rbx
    ret
dsm_interruptible_eintr:
    mov $-4, %rax
    pop %rbx
    ret
dsm_interruptible_abort:
    mov $-513, %rax                   # kNotMade
    pop %rbx
    ret

    .globl dsm_user_copy, dsm_user_copy_begin, dsm_user_copy_end, dsm_user_copy_fault
    .hidden dsm_user_copy, dsm_user_copy_begin, dsm_user_copy_end, dsm_user_copy_fault
    .type dsm_user_copy, @function
dsm_user_copy:                        # rdi to, rsi from, rdx bytes
    mov %rdx, %rcx
dsm_user_copy_begin:
    rep movsb
dsm_user_copy_end:
dsm_user_copy_fault:                  # rcx: bytes that are left
    mov %rcx, %rax
    ret

    .globl dsm_user_or_zero, dsm_user_or_begin, dsm_user_or_end, dsm_user_or_fault
    .hidden dsm_user_or_zero, dsm_user_or_begin, dsm_user_or_end, dsm_user_or_fault
    .type dsm_user_or_zero, @function
dsm_user_or_zero:                     # rdi word
dsm_user_or_begin:
    lock orl $0, (%rdi)
dsm_user_or_end:
    xor %eax, %eax
    ret
dsm_user_or_fault:
    mov $1, %eax
    ret

    .globl dsm_call_on_stack
    .hidden dsm_call_on_stack
    .type dsm_call_on_stack, @function
dsm_call_on_stack:                    # rdi fn, rsi argument, rdx top
    push %rbp
    mov %rsp, %rbp
    mov %rdx, %rsp
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    leave
    ret
)");
