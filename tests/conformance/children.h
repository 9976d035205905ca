// SPDX-License-Identifier: Apache-2.0
// Waiting for a child and saying how it ended.
#pragma once
#include <sys/wait.h>

#include "conformance.h"

static inline void reap(pid_t child) {
  int status = 0;
  const pid_t got = waitpid(child, &status, 0);
  if (got != child) {
    say("waitpid %s", outcome(got));
  } else if (WIFEXITED(status)) {
    say("exited %d", WEXITSTATUS(status));
  } else {
    say("signal %d", WTERMSIG(status));
  }
}
