// SPDX-License-Identifier: Apache-2.0
// Every way to start a child, from several threads at once: the copy of one thread's fork is made while others are between
// vfork and execve. Prints what each child answered; a deadlock between the two kinds would hang it.
#include <spawn.h>
#include <sys/wait.h>

#include "selfcheck.h"

enum { kThreads = 6, kRounds = 4, kBytes = 4096 };

struct answers {
  int spawned, shell, pipe_end, vforked, forked;
  char line[32];
};

static int exit_status_of(pid_t pid) {
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int spawn_shell(void) {
  char* const argv[] = {"/bin/sh", "-c", "exit 7", NULL};
  pid_t pid = -1;
  CHECK(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == 0);
  return exit_status_of(pid);
}

static int vfork_child(void) {
  const pid_t pid = vfork();
  if (pid == 0) _exit(9);
  CHECK(pid > 0);
  return exit_status_of(pid);
}

// The child sees the parent's memory as it was, and changes only its own.
static int fork_child(void) {
  unsigned char bytes[kBytes];
  memset(bytes, 3, sizeof bytes);
  const pid_t pid = fork();
  if (pid == 0) {
    const int seen = bytes[kBytes / 2];
    memset(bytes, 1, sizeof bytes);
    _exit(10 + seen);
  }
  CHECK(pid > 0);
  const int status = exit_status_of(pid);
  CHECK(bytes[kBytes / 2] == 3);
  return status;
}

static void* start_children(void* argument) {
  struct answers* const a = argument;
  for (int round = 0; round < kRounds; round++) {
    a->spawned = spawn_shell();
    a->shell = WEXITSTATUS(system("exit 4"));
    FILE* const output = popen("echo from a pipe", "r");
    CHECK(output != NULL && fgets(a->line, sizeof a->line, output) != NULL);
    a->pipe_end = pclose(output);
    a->vforked = vfork_child();
    a->forked = fork_child();
  }
  return NULL;
}

int main(void) {
  pthread_t thread[kThreads];
  static struct answers all[kThreads];
  for (int i = 0; i < kThreads; i++) CHECK(pthread_create(&thread[i], NULL, start_children, &all[i]) == 0);
  for (int i = 0; i < kThreads; i++) pthread_join(thread[i], NULL);
  for (int i = 0; i < kThreads; i++)
    printf("%d: %d %d %d %d %d %s", i, all[i].spawned, all[i].shell, all[i].pipe_end, all[i].vforked, all[i].forked, all[i].line);
  return 0;
}
