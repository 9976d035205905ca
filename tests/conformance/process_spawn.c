// SPDX-License-Identifier: Apache-2.0
// Children that become other programs: vfork, posix_spawn, system, popen.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include "children.h"
#include "conformance.h"

extern char** environ;

CASE(child_vfork) {
  static volatile int word = 1;
  pid_t child = vfork();
  if (child == 0) {
    word = 2;
    _exit(6);
  }
  NEED(child > 0);
  reap(child);
  say("the child wrote ours: %d", word);
}

CASE(child_vfork_exec) {
  pid_t child = vfork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", "echo from sh; exit 12", (char*)NULL);
    _exit(99);
  }
  NEED(child > 0);
  reap(child);
}

CASE(child_exec_missing) {
  pid_t child = vfork();
  if (child == 0) {
    execl("/no/such/program", "x", (char*)NULL);
    _exit(errno == ENOENT ? 44 : 45);
  }
  reap(child);
}

CASE(child_system) {
  say("status %d", WEXITSTATUS(system("exit 3")));
  say("signal %d", WTERMSIG(system("kill -9 $$")));
  say("shell there: %d", system(NULL) != 0);
}

CASE(child_popen_read) {
  FILE* pipe = popen("echo one; echo two; exit 5", "r");
  NEED(pipe != NULL);
  char line[64];
  while (fgets(line, sizeof line, pipe)) say("line %.3s", line);
  say("status %d", WEXITSTATUS(pclose(pipe)));
}

CASE(child_popen_write) {
  FILE* pipe = popen("sort", "w");
  NEED(pipe != NULL);
  fputs("b\na\nc\n", pipe);
  say("status %d", WEXITSTATUS(pclose(pipe)));
}

CASE(child_spawn) {
  char* argv[] = {"sh", "-c", "echo spawned $WORD", NULL};
  char* env[] = {"WORD=here", NULL};
  pid_t child;
  NEED(posix_spawn(&child, "/bin/sh", NULL, NULL, argv, env) == 0);
  reap(child);
}

CASE(child_spawn_actions) {
  posix_spawn_file_actions_t actions;
  NEED(posix_spawn_file_actions_init(&actions) == 0);
  char path[] = "spawn-output";
  NEED(posix_spawn_file_actions_addopen(&actions, 1, path, O_CREAT | O_WRONLY | O_TRUNC, 0600) == 0);
  char* argv[] = {"echo", "into the file", NULL};
  pid_t child;
  NEED(posix_spawnp(&child, "echo", &actions, NULL, argv, environ) == 0);
  reap(child);
  char text[64] = {0};
  int fd = open(path, O_RDONLY);
  NEED(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
  say("%s", text);
  unlink(path);
}

CASE(child_spawn_signals) {
  posix_spawnattr_t attributes;
  NEED(posix_spawnattr_init(&attributes) == 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  NEED(posix_spawnattr_setsigmask(&attributes, &set) == 0);
  NEED(posix_spawnattr_setsigdefault(&attributes, &set) == 0);
  NEED(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) == 0);
  char* argv[] = {"sh", "-c", "grep SigBlk /proc/self/status", NULL};
  pid_t child;
  NEED(posix_spawn(&child, "/bin/sh", NULL, &attributes, argv, environ) == 0);
  reap(child);
}

CASE(child_spawn_missing) {
  char* argv[] = {"x", NULL};
  pid_t child;
  say("error %s", strerrorname_np(posix_spawn(&child, "/no/such", NULL, NULL, argv, environ)));
}

CONFORMANCE_MAIN
