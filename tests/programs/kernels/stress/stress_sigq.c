// SPDX-License-Identifier: Apache-2.0
// Queued signals with data: each thread sends numbered values to the next one in the ring, which takes half of them by
// sigwaitinfo and half in a handler. None is lost, and each kind arrives in order.
//
//   stress_sigq [signals] [work]
#include <signal.h>

#include "../selfcheck.h"

enum { kThreads = 4 };

struct member {
  _Alignas(kPageSize) pthread_t thread;
  long handled, waited;         // how many came; only the thread itself writes
  uint64_t chain;
};

static struct member g_ring[kThreads];
static long g_signals, g_work;
static pthread_barrier_t g_ready, g_done;
static _Thread_local struct member* t_self;

static void take(int signal, siginfo_t* info, void* context) {
  (void)context;
  CHECK(signal == SIGRTMIN + 1 && info->si_code == SI_QUEUE && info->si_pid == getpid());
  CHECK(info->si_value.sival_int == (int)t_self->handled);
  __atomic_store_n(&t_self->handled, t_self->handled + 1, __ATOMIC_RELEASE);
}

static void send_value(const struct member* to, int signal, long number) {
  const union sigval value = {.sival_int = (int)number};
  CHECK_ZERO(pthread_sigqueue(to->thread, signal, value));
}

static void* run(void* argument) {
  struct member* self = &g_ring[(uintptr_t)argument];
  const struct member* next = &g_ring[((uintptr_t)argument + 1) % kThreads];
  t_self = self;
  sigset_t waited;
  sigemptyset(&waited);
  sigaddset(&waited, SIGRTMIN + 2);
  CHECK_ZERO(pthread_sigmask(SIG_BLOCK, &waited, NULL));
  pthread_barrier_wait(&g_ready);
  for (long i = 0; i < g_signals; i++) {
    send_value(next, SIGRTMIN + 1, i);
    send_value(next, SIGRTMIN + 2, i);
    siginfo_t info;
    int got;
    while ((got = sigwaitinfo(&waited, &info)) == -1) CHECK(errno == EINTR);
    CHECK(got == SIGRTMIN + 2 && info.si_value.sival_int == (int)self->waited);
    self->waited++;
    self->chain = compute(self->chain + (uint64_t)info.si_value.sival_int, g_work);
  }
  // A signal that has been sent is delivered before the receiver's next instruction at the latest when it makes a call.
  while (__atomic_load_n(&self->handled, __ATOMIC_ACQUIRE) != g_signals) sched_yield();
  pthread_barrier_wait(&g_done);   // whoever sends to this one has sent all
  return NULL;
}

int main(int argc, char** argv) {
  g_signals = number_argument(argc, argv, 1, 400);
  g_work = number_argument(argc, argv, 2, 60000);
  struct sigaction action = {.sa_sigaction = take, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK_ZERO(sigaction(SIGRTMIN + 1, &action, NULL));
  CHECK_ZERO(pthread_barrier_init(&g_ready, NULL, kThreads + 1));
  CHECK_ZERO(pthread_barrier_init(&g_done, NULL, kThreads));
  for (uintptr_t i = 0; i < kThreads; i++) CHECK_ZERO(pthread_create(&g_ring[i].thread, NULL, run, (void*)i));
  pthread_barrier_wait(&g_ready);
  for (int i = 0; i < kThreads; i++) CHECK_ZERO(pthread_join(g_ring[i].thread, NULL));
  for (int i = 0; i < kThreads; i++)
    printf("thread %d: handled %ld waited %ld chain %016lx\n", i, g_ring[i].handled, g_ring[i].waited, g_ring[i].chain);
  return 0;
}
