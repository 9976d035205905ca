// SPDX-License-Identifier: Apache-2.0
// Runs one access that should raise SIGSEGV, in any thread, and gives back what the signal said.
// The handler leaves by siglongjmp, as language runtimes do.
#pragma once

#include <setjmp.h>
#include <signal.h>

#include "selfcheck.h"

struct fault_guard {
  sigjmp_buf back;
  volatile int armed;
  void* volatile address;
  volatile int code;
  volatile int signal;
};

static __thread struct fault_guard t_guard;

static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)context;
  if (!t_guard.armed) _exit(99);  // a fault that nobody asked for
  t_guard.armed = 0;
  t_guard.address = info->si_addr;
  t_guard.code = info->si_code;
  t_guard.signal = signal;
  siglongjmp(t_guard.back, 1);
}

static inline void install_fault_guard(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  CHECK_ZERO(sigaction(SIGSEGV, &action, NULL));
  CHECK_ZERO(sigaction(SIGBUS, &action, NULL));
}

// 1 when the statement raised a fault (t_guard tells which), 0 when it ran through.
#define FAULTS(statement)                       \
  (sigsetjmp(t_guard.back, 1) ? 1               \
   : (t_guard.armed = 1, (statement), t_guard.armed = 0, 0))
