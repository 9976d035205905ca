// SPDX-License-Identifier: Apache-2.0
// Children: how they are made, what they inherit, how they end, what their parent learns of it.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "children.h"
#include "conformance.h"

static void run_child(void (*body)(void)) {
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    body();
    _exit(0);
  }
  reap(child);
}

CASE(child_exit_codes) {
  for (int code = 0; code < 256; code += 51) {
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) _exit(code);
    reap(child);
  }
}

CASE(child_killed) {
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0)
    for (;;) pause();
  NEED(kill(child, SIGTERM) == 0);
  reap(child);
}

static int* volatile g_nowhere = (int*)8;
static void crash(void) { *g_nowhere = 1; }
CASE(child_crashes) { run_child(crash); }

static void call_abort(void) { abort(); }
CASE(child_aborts) {
  struct rlimit none = {0, 0};
  NEED(setrlimit(RLIMIT_CORE, &none) == 0);
  run_child(call_abort);
}

CASE(child_stop_and_continue) {
  int ends[2];
  NEED(pipe(ends) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    raise(SIGSTOP);
    char byte;   // only once the parent has seen it go on
    _exit(read(ends[0], &byte, 1) == 1 ? 5 : 6);
  }
  int status;
  NEED(waitpid(child, &status, WUNTRACED) == child);
  say("stopped %d by %d", WIFSTOPPED(status), WSTOPSIG(status));
  NEED(kill(child, SIGCONT) == 0);
  NEED(waitpid(child, &status, WCONTINUED) == child);
  say("continued %d", WIFCONTINUED(status));
  NEED(write(ends[1], "x", 1) == 1);
  reap(child);
}

CASE(child_waitid_leaves_it) {
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) _exit(9);
  siginfo_t info = {0};
  NEED(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
  say("code %d status %d pid %d", info.si_code == CLD_EXITED, info.si_status, info.si_pid == child);
  reap(child);
}

CASE(child_none_to_wait_for) { say("wait %s", outcome(wait(NULL))); }

CASE(child_wnohang) {
  int ends[2];
  NEED(pipe(ends) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    char byte;
    NEED(read(ends[0], &byte, 1) == 1);
    _exit(0);
  }
  int status;
  say("not yet: %d", (int)waitpid(child, &status, WNOHANG));
  NEED(write(ends[1], "x", 1) == 1);
  reap(child);
}

CASE(child_rusage) {
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    volatile long sum = 0;
    for (long i = 0; i < 30000000; i++) sum += i;
    _exit(0);
  }
  struct rusage usage;
  int status;
  NEED(wait4(child, &status, 0, &usage) == child);
  say("user time %s", usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec > 1000 ? "counted" : "missing");
}

static volatile sig_atomic_t g_children;
static void on_child(int number, siginfo_t* info, void* context) {
  (void)context;
  if (number == SIGCHLD && info->si_code == CLD_EXITED && info->si_status == 4) g_children++;
}

CASE(child_sigchld) {
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  NEED(sigaction(SIGCHLD, &action, NULL) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) _exit(4);
  reap(child);
  while (g_children == 0) usleep(1000);
  say("told once: %d", g_children == 1);
}

CASE(child_sigchld_ignored) {
  NEED(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) _exit(0);
  say("wait %s", outcome(waitpid(child, NULL, 0)));
}

CASE(child_no_child_wait) {
  struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  NEED(sigaction(SIGCHLD, &action, NULL) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) _exit(0);
  say("wait %s", outcome(waitpid(child, NULL, 0)));
}

static void print_and_exit(void) {
  printf("from the child\n");
  exit(0);
}
CASE(child_flushes_stdio) { run_child(print_and_exit); }

CASE(child_inherits_ignored_not_handlers) {
  NEED(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
  NEED(sigaction(SIGUSR2, &action, NULL) == 0);
  say("status %d", WEXITSTATUS(system("kill -USR1 $$; exit 2")));
  say("signal %d", WTERMSIG(system("kill -USR2 $$; exit 2")));
}

CASE(child_inherits_mask) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN);
  NEED(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    execl("/bin/grep", "grep", "SigBlk", "/proc/self/status", (char*)NULL);
    _exit(99);
  }
  reap(child);
}

static void show_mask(void) {
  sigset_t set;
  NEED(sigprocmask(SIG_SETMASK, NULL, &set) == 0);
  say("blocked %d %d", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));
}
CASE(child_mask_after_fork) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  NEED(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  run_child(show_mask);
}

static void handle_own_signal(void) {
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
  NEED(sigaction(SIGUSR1, &action, NULL) == 0);
  NEED(raise(SIGUSR1) == 0);
  say("handled");
}
CASE(child_handles_signals) { run_child(handle_own_signal); }

static void* answer(void* unused) {
  (void)unused;
  return (void*)7L;
}
static void make_threads(void) {
  pthread_t threads[4];
  long sum = 0;
  for (int i = 0; i < 4; i++) NEED(pthread_create(&threads[i], NULL, answer, NULL) == 0);
  for (int i = 0; i < 4; i++) {
    void* result;
    NEED(pthread_join(threads[i], &result) == 0);
    sum += (long)result;
  }
  say("sum %ld", sum);
}
CASE(child_makes_threads) { run_child(make_threads); }

static int g_prepared, g_parent, g_child;
static void prepare(void) { g_prepared++; }
static void in_parent(void) { g_parent++; }
static void in_child(void) { g_child++; }
static void show_handlers(void) { say("child: %d %d %d", g_prepared, g_parent, g_child); }
CASE(child_atfork) {
  NEED(pthread_atfork(prepare, in_parent, in_child) == 0);
  run_child(show_handlers);
  say("parent: %d %d %d", g_prepared, g_parent, g_child);
}

static void one_thread_left(void) {
  int count = 0;
  char line[256];
  FILE* status = fopen("/proc/self/status", "r");
  NEED(status != NULL);
  while (fgets(line, sizeof line, status))
    if (sscanf(line, "Threads: %d", &count) == 1) say("threads %d", count);
}
CASE(child_has_one_thread) { run_child(one_thread_left); }

CASE(child_descriptors_are_shared) {
  int fd = open("offset-file", O_CREAT | O_RDWR | O_TRUNC, 0600);
  NEED(fd >= 0 && write(fd, "0123456789", 10) == 10 && lseek(fd, 2, SEEK_SET) == 2);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    char two[2];
    _exit(read(fd, two, 2) == 2 && two[0] == '2' ? 0 : 1);
  }
  reap(child);
  say("offset %ld", (long)lseek(fd, 0, SEEK_CUR));
  unlink("offset-file");
}

CASE(child_close_on_exec) {
  int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
  char command[128];
  snprintf(command, sizeof command, "test -e /proc/self/fd/%d && echo kept; test -e /proc/self/fd/%d || echo closed", kept, closed);
  say("status %d", system(command));
}

CASE(child_sees_no_foreign_descriptors) {
  // ls itself has one more: the folder that it reads.
  fflush(NULL);
  say("status %d", system("ls /proc/self/fd | tr '\\n' ' '"));
}

CASE(child_environment) {
  NEED(setenv("CONFORMANCE_WORD", "given", 1) == 0);
  say("status %d", system("echo $CONFORMANCE_WORD; env | grep -c -e LD_PRELOAD -e DSM_"));
}

CASE(child_clone_without_memory) {
  const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  NEED(child >= 0);
  if (child == 0) _exit(21);
  reap((pid_t)child);
}

CASE(child_clone3_pidfd) {
  int pidfd = -1;
  struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } args = {
      .flags = CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGCHLD};
  const long child = syscall(SYS_clone3, &args, sizeof args);
  NEED(child >= 0);
  if (child == 0) _exit(22);
  siginfo_t info = {0};
  NEED(pidfd >= 0 && waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
  say("status %d", info.si_status);
}

CASE(child_pidfd_signal) {
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0)
    for (;;) pause();
  int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
  NEED(pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0);
  reap(child);
}

CASE(child_orphan_is_reparented) {
  NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  int ends[2];
  NEED(pipe(ends) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) {
      close(ends[1]);
      char byte;
      (void)!read(ends[0], &byte, 1);
      _exit(31);
    }
    _exit(30);
  }
  reap(child);
  close(ends[0]);
  close(ends[1]);
  reap(-1);
}

CASE(child_of_child_waits) {
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    pid_t inner = fork();
    if (inner == 0) _exit(8);
    int status;
    NEED(waitpid(inner, &status, 0) == inner);
    _exit(WEXITSTATUS(status) + 1);
  }
  reap(child);
}

CASE(child_fork_in_many_threads) {
  enum { kThreads = 4, kForks = 10 };
  pthread_t threads[kThreads];
  void* fork_often(void* unused) {
    for (int i = 0; i < kForks; i++) {
      pid_t child = fork();
      NEED(child >= 0);
      if (child == 0) _exit(i);
      int status;
      NEED(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == i);
    }
    return unused;
  }
  for (int i = 0; i < kThreads; i++) NEED(pthread_create(&threads[i], NULL, fork_often, NULL) == 0);
  for (int i = 0; i < kThreads; i++) NEED(pthread_join(threads[i], NULL) == 0);
  say("done");
}

CASE(child_fork_beside_mmap) {
  static atomic_int stop;
  void* map_often(void* unused) {
    while (!atomic_load(&stop)) {
      char* page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      NEED(page != MAP_FAILED);
      memset(page, 1, 65536);
      NEED(munmap(page, 65536) == 0);
    }
    return unused;
  }
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) NEED(pthread_create(&threads[i], NULL, map_often, NULL) == 0);
  for (int i = 0; i < 30; i++) {
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
      void* more = malloc(100000);
      _exit(more != NULL ? 0 : 1);
    }
    int status;
    NEED(waitpid(child, &status, 0) == child && status == 0);
  }
  atomic_store(&stop, 1);
  for (int i = 0; i < 2; i++) NEED(pthread_join(threads[i], NULL) == 0);
  say("done");
}

CONFORMANCE_MAIN
