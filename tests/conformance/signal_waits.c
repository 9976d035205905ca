// SPDX-License-Identifier: Apache-2.0
// More calls that wait, with handlers, with the library's own waits around them, and with time limits that nothing may shift.
#include <mqueue.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "signal_probe.h"

static void report(const char* call, long result) { say("%s: %s %ld, handler ran %d", call, outcome(result), result, g_hits); }

// ---- System calls -----------------------------------------------------------------------------------------------------
static void unlock_range(void* fd) {
  struct flock range = {.l_type = F_UNLCK};
  NEED(fcntl(*(int*)fd, F_OFD_SETLK, &range) == 0);
}
static void lock_range_with(int flags) {
  struct Poke by;
  char path[] = "/tmp/dsm-range-XXXXXX";
  on(SIGUSR1, count_hit, flags);
  int holder = mkstemp(path), waiter = open(path, O_RDWR);
  unlink(path);
  struct flock range = {.l_type = F_WRLCK}, again = {.l_type = F_WRLCK};
  NEED(fcntl(holder, F_OFD_SETLK, &range) == 0);
  poke(&by, SIGUSR1, SYS_fcntl, flags & SA_RESTART ? unlock_range : NULL, &holder);
  report("fcntl", fcntl(waiter, F_OFD_SETLKW, &again));
  poke_end(&by);
}
CASE(wait_for_file_range) { lock_range_with(SA_RESTART); }
CASE(wait_for_file_range_without_flag) { lock_range_with(0); }

static void send_message(void* queue) { NEED(mq_send(*(mqd_t*)queue, "x", 1, 0) == 0); }
static void queue_with(int flags) {
  struct Poke by;
  char name[32], text[8];
  on(SIGUSR1, count_hit, flags);
  snprintf(name, sizeof name, "/dsm-%d", getpid());
  struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = sizeof text};
  mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
  NEED(queue >= 0);
  mq_unlink(name);
  poke(&by, SIGUSR1, SYS_mq_timedreceive, flags & SA_RESTART ? send_message : NULL, &queue);
  report("mq_receive", mq_receive(queue, text, sizeof text, NULL));
  poke_end(&by);
}
CASE(wait_for_message) { queue_with(SA_RESTART); }
CASE(wait_for_message_without_flag) { queue_with(0); }

static void take_connection(void* listener) { NEED(accept(*(int*)listener, NULL, NULL) >= 0); }
static void connect_with(int flags) {
  struct Poke by;
  on(SIGUSR1, count_hit, flags);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  socklen_t size = sizeof address;
  int listener = socket(AF_UNIX, SOCK_STREAM, 0), first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
  NEED(bind(listener, (void*)&address, sizeof address.sun_family) == 0 && listen(listener, 0) == 0);
  NEED(getsockname(listener, (void*)&address, &size) == 0);
  NEED(connect(first, (void*)&address, size) == 0);   // the queue is full
  poke(&by, SIGUSR1, SYS_connect, flags & SA_RESTART ? take_connection : NULL, &listener);
  report("connect", connect(second, (void*)&address, size));
  poke_end(&by);
}
CASE(wait_to_connect) { connect_with(SA_RESTART); }
CASE(wait_to_connect_without_flag) { connect_with(0); }

CASE(wait_semtimedop) {
  struct Poke by;
  on(SIGUSR1, count_hit, SA_RESTART);
  int id = semget(IPC_PRIVATE, 1, 0600);
  struct sembuf down = {0, -1, 0};
  struct timespec limit = {12, 0};
  poke(&by, SIGUSR1, SYS_semtimedop, NULL, NULL);
  report("semtimedop", syscall(SYS_semtimedop, id, &down, 1, &limit));
  poke_end(&by);
  semctl(id, 0, IPC_RMID);
}

static void write_eight(void* fd) {
  uint64_t one = 1;
  NEED(write(*(int*)fd, &one, sizeof one) == sizeof one);
}
static void eventfd_with(int flags) {
  struct Poke by;
  uint64_t value;
  on(SIGUSR1, count_hit, flags);
  int fd = eventfd(0, 0);
  poke(&by, SIGUSR1, SYS_read, flags & SA_RESTART ? write_eight : NULL, &fd);
  report("eventfd", read(fd, &value, sizeof value));
  poke_end(&by);
}
CASE(wait_eventfd) { eventfd_with(SA_RESTART); }
CASE(wait_eventfd_without_flag) { eventfd_with(0); }

CASE(wait_inotify) {
  struct Poke by;
  char event[512];
  on(SIGUSR1, count_hit, 0);
  int fd = inotify_init();
  poke(&by, SIGUSR1, SYS_read, NULL, NULL);
  report("inotify", read(fd, event, sizeof event));
  poke_end(&by);
}

CASE(wait_timerfd) {
  struct Poke by;
  uint64_t ticks = 0;
  on(SIGUSR1, count_hit, SA_RESTART);
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec once = {.it_value = {2, 0}};
  NEED(timerfd_settime(fd, 0, &once, NULL) == 0);
  poke(&by, SIGUSR1, SYS_read, NULL, NULL);
  ssize_t got = read(fd, &ticks, sizeof ticks);
  say("%zd bytes, %d ticks, handler ran %d", got, (int)ticks, g_hits);
  poke_end(&by);
}

CASE(wait_readv) {
  struct Poke by;
  int ends[2];
  char bytes[2];
  on(SIGUSR1, count_hit, SA_RESTART);
  NEED(pipe(ends) == 0);
  struct iovec parts[2] = {{&bytes[0], 1}, {&bytes[1], 1}};
  poke(&by, SIGUSR1, SYS_readv, write_byte, &ends[1]);
  report("readv", readv(ends[0], parts, 2));
  poke_end(&by);
}

CASE(wait_recvmsg) {
  struct Poke by;
  int ends[2];
  char byte;
  on(SIGUSR1, count_hit, SA_RESTART);
  NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  poke(&by, SIGUSR1, SYS_recvmsg, write_byte, &ends[1]);
  report("recvmsg", recvmsg(ends[0], &message, 0));
  poke_end(&by);
}

CASE(wait_splice) {
  struct Poke by;
  int from[2], to[2];
  on(SIGUSR1, count_hit, SA_RESTART);
  NEED(pipe(from) == 0 && pipe(to) == 0);
  poke(&by, SIGUSR1, SYS_splice, write_byte, &from[1]);
  report("splice", splice(from[0], NULL, to[1], NULL, 100, 0));
  poke_end(&by);
}

static void end_child(void* pid) { kill(*(pid_t*)pid, SIGKILL); }
CASE(wait_waitid) {
  struct Poke by;
  siginfo_t info;
  on(SIGUSR1, count_hit, SA_RESTART);
  pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  poke(&by, SIGUSR1, SYS_waitid, end_child, &child);
  report("waitid", waitid(P_PID, (id_t)child, &info, WEXITED));
  say("code %d, status %d", info.si_code, info.si_status);
  poke_end(&by);
}

// ---- The library's waits ------------------------------------------------------------------------------------------------
static pthread_mutex_t g_mutex;
static pthread_cond_t g_condition = PTHREAD_COND_INITIALIZER;
static sem_t g_semaphore;
static atomic_int g_step;
static void* hold_mutex(void* unused) {
  pthread_mutex_lock(&g_mutex);
  atomic_store(&g_step, 1);
  while (atomic_load(&g_step) != 2) nap_ms(1);
  pthread_mutex_unlock(&g_mutex);
  return unused;
}
static void let_go(void* unused) {
  (void)unused;
  atomic_store(&g_step, 2);
}
static void mutex_with(int protocol) {
  struct Poke by;
  pthread_t holder;
  pthread_mutexattr_t attributes;
  on(SIGUSR1, count_hit, 0);
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  pthread_mutex_init(&g_mutex, &attributes);
  NEED(pthread_create(&holder, NULL, hold_mutex, NULL) == 0);
  while (atomic_load(&g_step) != 1) nap_ms(1);
  poke(&by, SIGUSR1, SYS_futex, let_go, NULL);
  int result = pthread_mutex_lock(&g_mutex);
  say("lock %d, handler ran %d", result, g_hits);
  poke_end(&by);
  pthread_join(holder, NULL);
}
CASE(wait_for_mutex) { mutex_with(PTHREAD_PRIO_NONE); }
CASE(wait_for_mutex_with_inheritance) { mutex_with(PTHREAD_PRIO_INHERIT); }

static void post(void* unused) {
  (void)unused;
  sem_post(&g_semaphore);
}
static void semaphore_with(int flags) {
  struct Poke by;
  on(SIGUSR1, count_hit, flags);
  sem_init(&g_semaphore, 0, 0);
  poke(&by, SIGUSR1, SYS_futex, flags & SA_RESTART ? post : NULL, NULL);
  report("sem_wait", sem_wait(&g_semaphore));
  poke_end(&by);
}
CASE(wait_for_semaphore) { semaphore_with(SA_RESTART); }
CASE(wait_for_semaphore_without_flag) { semaphore_with(0); }

static int g_told;
static void tell(void* unused) {
  (void)unused;
  pthread_mutex_lock(&g_mutex);
  g_told = 1;
  pthread_cond_signal(&g_condition);
  pthread_mutex_unlock(&g_mutex);
}
CASE(wait_for_condition) {
  struct Poke by;
  on(SIGUSR1, count_hit, 0);
  pthread_mutex_init(&g_mutex, NULL);
  pthread_mutex_lock(&g_mutex);
  poke(&by, SIGUSR1, SYS_futex, tell, NULL);
  int result = 0;
  while (!g_told && result == 0) result = pthread_cond_wait(&g_condition, &g_mutex);
  pthread_mutex_unlock(&g_mutex);
  say("wait %d, handler ran %d", result, g_hits);
  poke_end(&by);
}

// ---- Time limits, whatever else goes on -----------------------------------------------------------------------------------
enum { kLimitMs = 1000 };
static atomic_int g_enough;
static pthread_t g_target;
static int g_hammer;
static void* hammer(void* unused) {
  while (!atomic_load(&g_enough)) {
    pthread_kill(g_target, g_hammer);
    nap_ms(20);
  }
  return unused;
}
static long g_start;
static pthread_t start_hammer(int signal) {
  pthread_t by;
  g_hammer = signal;
  g_target = pthread_self();
  NEED(pthread_create(&by, NULL, hammer, NULL) == 0);
  g_start = now_ms();
  return by;
}
static void end_hammer(pthread_t by, const char* call, long result) {
  const char* error = outcome(result);
  long took = now_ms() - g_start;
  atomic_store(&g_enough, 1);
  pthread_join(by, NULL);
  say("%s %s, %s", call, error, took < kLimitMs ? "too short" : took < kLimitMs + 4000 ? "its time" : "too long");
}
CASE(limit_of_poll_with_ignored_signals) {
  pthread_t by = start_hammer(SIGWINCH);
  end_hammer(by, "poll", poll(NULL, 0, kLimitMs));
}
CASE(limit_of_sleep_with_ignored_signals) {
  signal(SIGUSR1, SIG_IGN);
  pthread_t by = start_hammer(SIGUSR1);
  struct timespec rest = {1, 0};
  end_hammer(by, "nanosleep", nanosleep(&rest, NULL));
}
CASE(limit_of_sleep_with_blocked_signals) {
  on(SIGUSR1, count_hit, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  pthread_t by = start_hammer(SIGUSR1);
  struct timespec rest = {1, 0};
  end_hammer(by, "nanosleep", nanosleep(&rest, NULL));
  say("ran %d", g_hits);
}
CASE(limit_of_semaphore_with_continue_signals) {
  sem_init(&g_semaphore, 0, 0);
  pthread_t by = start_hammer(SIGCONT);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1;
  end_hammer(by, "sem_timedwait", sem_timedwait(&g_semaphore, &until));
}
CASE(limit_of_futex_with_continue_signals) {
  static atomic_int word;
  pthread_t by = start_hammer(SIGCONT);
  struct timespec limit = {1, 0};
  end_hammer(by, "futex", syscall(SYS_futex, &word, 0, 0, &limit));
}
CASE(limit_of_poll_with_continue_signals) {
  pthread_t by = start_hammer(SIGCONT);
  end_hammer(by, "poll", poll(NULL, 0, kLimitMs));
}
CASE(limit_of_sleep_with_continue_signals) {
  pthread_t by = start_hammer(SIGCONT);
  struct timespec rest = {1, 0};
  end_hammer(by, "nanosleep", nanosleep(&rest, NULL));
}
CASE(limit_of_sleep_made_again) {
  on(SIGUSR1, count_hit, SA_RESTART);
  pthread_t by = start_hammer(SIGUSR1);
  struct timespec rest = {1, 0};
  int again = 0;
  while (nanosleep(&rest, &rest) != 0) again++;
  end_hammer(by, "nanosleep", 0);
  say("%s, %s", again > 3 ? "interrupted" : "not interrupted", g_hits >= again ? "by handlers" : "by nobody");
}

CONFORMANCE_MAIN
