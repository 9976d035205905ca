// SPDX-License-Identifier: Apache-2.0
// Who a thread is: one process, wherever its threads run.
#include <sys/syscall.h>
#include <sys/wait.h>

#include "conformance.h"

CASE(identity_of_threads) {
  const pid_t tid = (pid_t)syscall(SYS_gettid);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d", tid);
  say("task entry %s", outcome(access(path, F_OK)));
  say("own tid is %s", tid == getpid() ? "the pid" : "another");
}

CASE(identity_in_child) {
  const pid_t parent = getpid();
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) _exit(getppid() == parent && getpid() != parent ? 0 : 1);
  int status = 0;
  NEED(waitpid(child, &status, 0) == child);
  say("status %d", WEXITSTATUS(status));
}

CASE(identity_credentials) {
  say("uid %s, gid %s", getuid() == geteuid() ? "effective" : "differs", getgid() == getegid() ? "effective" : "differs");
  say("session %s", getsid(0) == getsid(getpid()) ? "same" : "differs");
}

CONFORMANCE_MAIN
