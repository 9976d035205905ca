// SPDX-License-Identifier: Apache-2.0
// What belongs to the process as a whole is one for all its threads, wherever they run: working directory, umask, limits,
// names, credentials, descriptors. And what ends it ends it everywhere.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "conformance.h"

// Runs `body` in another thread, which may be on another node than this one, to its end.
static void elsewhere(void* (*body)(void*), void* argument) {
  pthread_t thread;
  NEED(pthread_create(&thread, NULL, body, argument) == 0);
  NEED(pthread_join(thread, NULL) == 0);
}

static void* go_to_inner(void* unused) {
  NEED(mkdir("inner", 0700) == 0 && chdir("inner") == 0);
  return unused;
}
CASE(process_working_directory) {
  elsewhere(go_to_inner, NULL);
  char path[4096];
  NEED(getcwd(path, sizeof path) != NULL);
  say("in %s", strrchr(path, '/') + 1);
  NEED(chdir("..") == 0 && rmdir("inner") == 0);
}

static void* set_umask(void* unused) {
  umask(027);
  return unused;
}
CASE(process_umask) {
  elsewhere(set_umask, NULL);
  int fd = open("umask-file", O_CREAT | O_WRONLY, 0666);
  struct stat status;
  NEED(fd >= 0 && fstat(fd, &status) == 0);
  say("mode %o", status.st_mode & 0777);
  unlink("umask-file");
}

static void* lower_limit(void* unused) {
  struct rlimit limit;
  NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 32;
  NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  return unused;
}
CASE(process_limit_of_files) {
  elsewhere(lower_limit, NULL);
  int last = -1, fd;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
  say("%s after %d", strerrorname_np(errno), last);
  say("sysconf %ld", sysconf(_SC_OPEN_MAX));
}

CASE(process_limit_hard_files) {
  struct rlimit limit = {64, 64}, seen;
  NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  NEED(getrlimit(RLIMIT_NOFILE, &seen) == 0);
  say("soft %ld hard %ld", (long)seen.rlim_cur, (long)seen.rlim_max);
  limit.rlim_cur = 65;
  limit.rlim_max = 64;
  say("above: %s", outcome(setrlimit(RLIMIT_NOFILE, &limit)));
}

CASE(process_limit_file_size) {
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit = {1000, 1000};
  NEED(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  int fd = open("limited", O_CREAT | O_WRONLY | O_TRUNC, 0600);
  char block[800] = {0};
  say("first %d", (int)write(fd, block, sizeof block));
  say("second %d", (int)write(fd, block, sizeof block));
  say("third %s", outcome(write(fd, block, sizeof block)));
  unlink("limited");
}

static void* open_file(void* fd) {
  *(int*)fd = open("/dev/null", O_RDWR);
  return NULL;
}
CASE(process_descriptors) {
  int fd = -1;
  elsewhere(open_file, &fd);
  say("usable: %s", outcome(write(fd, "x", 1)));
  NEED(close(fd) == 0);
  say("twice: %s", outcome(close(fd)));
}

CASE(process_close_range) {
  int first = open("/dev/null", O_RDONLY), second = dup(first), third = dup(first);
  NEED(close_range((unsigned)second, (unsigned)third, 0) == 0);
  say("first %s, second %s", outcome(fcntl(first, F_GETFD)), outcome(fcntl(third, F_GETFD)));
  NEED(close_range((unsigned)first, ~0u, CLOSE_RANGE_CLOEXEC) == 0);
  say("flag %d", fcntl(first, F_GETFD));
}

CASE(process_fd_folder) {
  int extra = open("/dev/null", O_RDONLY);
  DIR* folder = opendir("/proc/self/fd");
  NEED(folder != NULL);
  int highest = -1, count = 0;
  for (struct dirent* entry; (entry = readdir(folder));)
    if (entry->d_name[0] != '.') {
      const int fd = atoi(entry->d_name);
      if (fd > highest) highest = fd;
      count++;
    }
  closedir(folder);
  say("%d descriptors, highest %d, own is there: %d", count, highest, extra >= 0);
}

CASE(process_thread_name) {
  char name[16] = {0}, path[64], line[32] = {0};
  NEED(pthread_setname_np(pthread_self(), "conformant") == 0);
  NEED(pthread_getname_np(pthread_self(), name, sizeof name) == 0);
  snprintf(path, sizeof path, "/proc/self/task/%ld/comm", syscall(SYS_gettid));
  int fd = open(path, O_RDONLY);
  NEED(fd >= 0 && read(fd, line, sizeof line - 1) > 0);
  say("%s, %s", name, line);
}

CASE(process_name) {
  char line[64] = {0};
  int fd = open("/proc/self/comm", O_RDONLY);
  NEED(fd >= 0 && read(fd, line, sizeof line - 1) > 0);
  say("%s", line);
}

CASE(process_command_line) {
  char text[4096] = {0};
  int fd = open("/proc/self/cmdline", O_RDONLY);
  NEED(fd >= 0);
  const ssize_t bytes = read(fd, text, sizeof text - 1);
  int words = 0;
  for (ssize_t i = 0; i < bytes; i++) words += text[i] == 0;
  say("%d words, the first ends %s", words, strrchr(text, '/') + 1);
}

CASE(process_exe) {
  char path[4096] = {0};
  NEED(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
  say("%s", strrchr(path, '/') + 1);
  struct stat by_link, by_path;
  NEED(stat("/proc/self/exe", &by_link) == 0 && stat(path, &by_path) == 0);
  say("same file: %d", by_link.st_ino == by_path.st_ino);
}

CASE(process_status_fields) {
  char line[256];
  FILE* status = fopen("/proc/thread-self/status", "r");
  NEED(status != NULL);
  while (fgets(line, sizeof line, status))
    if (!strncmp(line, "Name:", 5) || !strncmp(line, "Threads:", 8) ||
        !strncmp(line, "SigBlk:", 7) || !strncmp(line, "NoNewPrivs:", 11))
      say("%.60s", line);
}

CASE(process_task_folder) {
  DIR* folder = opendir("/proc/self/task");
  NEED(folder != NULL);
  int count = 0;
  for (struct dirent* entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
  closedir(folder);
  say("%d tasks", count);
}

CASE(process_group_and_session) {
  pid_t child = fork();   // whether this process leads a group depends on who started it
  NEED(child >= 0);
  if (child == 0) {
    const int joined = getpgrp() == getpgid(getppid());
    _exit(joined && setsid() == getpid() && getpgrp() == getpid() && getsid(0) == getpid() ? 0 : 1);
  }
  int status;
  NEED(waitpid(child, &status, 0) == child);
  say("status %d", WEXITSTATUS(status));
}

CASE(process_priority) {
  errno = 0;
  NEED(setpriority(PRIO_PROCESS, 0, 5) == 0);
  say("nice %d", getpriority(PRIO_PROCESS, 0));
}

CASE(process_scheduler) {
  struct sched_param param = {0};
  say("policy %d", sched_getscheduler(0));
  say("batch %s", outcome(sched_setscheduler(0, SCHED_BATCH, &param)));
  say("policy %d", sched_getscheduler(0));
  say("max %d min %d", sched_get_priority_max(SCHED_FIFO), sched_get_priority_min(SCHED_FIFO));
}

CASE(process_affinity_roundtrip) {
  cpu_set_t set, seen;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  NEED(sched_setaffinity(0, sizeof set, &set) == 0);
  NEED(sched_getaffinity(0, sizeof seen, &seen) == 0);
  say("equal %d", CPU_EQUAL(&set, &seen));
}

CASE(process_dumpable_and_keepcaps) {
  say("dumpable %d", prctl(PR_GET_DUMPABLE));
  say("no new privileges %d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  say("set %s", outcome(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
  say("no new privileges %d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  say("keep %d", prctl(PR_GET_KEEPCAPS));
}

CASE(process_timer_slack) { say("slack %s", outcome(prctl(PR_SET_TIMERSLACK, 1000))); }

CASE(process_uname) {
  struct utsname name;
  NEED(uname(&name) == 0);
  say("%s %s", name.sysname, name.machine);
}

static void* spin(void* unused) {
  struct timespec t;
  do {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  } while (t.tv_sec == 0 && t.tv_nsec < 60000000);
  return unused;
}
CASE(process_cpu_time) {
  struct timespec before, after;
  NEED(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before) == 0);
  elsewhere(spin, NULL);
  NEED(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after) == 0);
  const long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
  say("clock %s", ms >= 50 ? "counts the thread" : "misses the thread");
  struct rusage usage;
  NEED(getrusage(RUSAGE_SELF, &usage) == 0);
  const long used = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
  say("rusage %s", used >= 50 ? "counts the thread" : "misses the thread");
  struct tms tms;
  NEED(times(&tms) != (clock_t)-1);
  say("times %s", (tms.tms_utime + tms.tms_stime) * 1000 / sysconf(_SC_CLK_TCK) >= 40 ? "counts the thread" : "misses the thread");
}

CASE(process_thread_cpu_time) {
  struct rusage usage;
  spin(NULL);
  NEED(getrusage(RUSAGE_THREAD, &usage) == 0);
  const long used = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
  say("rusage %s", used >= 40 ? "counts" : "misses");
}

CASE(process_capabilities_untouched) {
  char line[256];
  FILE* status = fopen("/proc/self/status", "r");
  NEED(status != NULL);
  while (fgets(line, sizeof line, status))
    if (!strncmp(line, "CapEff:", 7) || !strncmp(line, "CapPrm:", 7)) say("%.40s", line);
}

static void at_exit(void) { say("at exit"); }
CASE(process_exit_from_here) {
  NEED(atexit(at_exit) == 0);
  exit(17);
}

CASE(process_exit_group_from_here) {
  syscall(SYS_exit_group, 18);
  say("not reached");
}

static void* end_all(void* unused) {
  exit(19);
  return unused;
}
CASE(process_exit_beside_threads) {
  pthread_t thread;
  NEED(pthread_create(&thread, NULL, end_all, NULL) == 0);
  for (;;) pause();
}

static void* pause_forever(void* unused) {
  for (;;) pause();
  return unused;
}
CASE(process_abort_beside_threads) {
  struct rlimit none = {0, 0};
  NEED(setrlimit(RLIMIT_CORE, &none) == 0);
  pthread_t thread;
  NEED(pthread_create(&thread, NULL, pause_forever, NULL) == 0);
  abort();
}

CASE(process_exec_from_here) {
  pthread_t thread;
  NEED(pthread_create(&thread, NULL, pause_forever, NULL) == 0);
  const pid_t before = getpid();
  char command[64];
  snprintf(command, sizeof command, "test $$ = %d && echo same pid; exit 23", before);
  execl("/bin/sh", "sh", "-c", command, (char*)NULL);
  say("exec %s", outcome(-1));
}

CASE(process_exec_errors) {
  char* argv[] = {"x", NULL};
  say("missing %s", outcome(execv("/no/such/program", argv)));
  say("folder %s", outcome(execv("/tmp", argv)));
  int fd = open("not-executable", O_CREAT | O_WRONLY, 0600);
  NEED(fd >= 0);
  say("mode %s", outcome(execv("./not-executable", argv)));
  NEED(fchmod(fd, 0700) == 0 && write(fd, "garbage\n", 8) == 8 && close(fd) == 0);
  say("format %s", outcome(execv("./not-executable", argv)));
  unlink("not-executable");
  say("name %s", outcome(execv("", argv)));
}

CASE(process_exec_keeps) {
  NEED(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
  alarm(0);
  umask(077);
  NEED(chdir("/") == 0);
  execl("/bin/sh", "sh", "-c", "umask; pwd; kill -USR1 $$ && echo ignored", (char*)NULL);
}

CASE(process_fexecve) {
  int fd = open("/bin/echo", O_RDONLY | O_CLOEXEC);
  char* argv[] = {"echo", "through a descriptor", NULL};
  char* env[] = {NULL};
  fexecve(fd, argv, env);
  say("fexecve %s", outcome(-1));
}

CASE(process_futex_wake_across) {
  static int word;
  void* wake(void* unused) {
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &word, 1 /*FUTEX_WAKE*/, 1, NULL, NULL, 0);
    return unused;
  }
  pthread_t thread;
  NEED(pthread_create(&thread, NULL, wake, NULL) == 0);
  while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0) syscall(SYS_futex, &word, 0 /*FUTEX_WAIT*/, 0, NULL, NULL, 0);
  NEED(pthread_join(thread, NULL) == 0);
  say("woken");
}

CONFORMANCE_MAIN
