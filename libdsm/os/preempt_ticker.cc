// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/preempt_ticker.h"

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libdsm/os/process.h"

namespace dsm::os {
namespace {

constexpr long kTickNs = 300'000;
constexpr long kLookNs = 10'000'000;
constexpr int kTicksPerLook = static_cast<int>(kLookNs / kTickNs);

// False: the threads must end.
bool sleep_ns(int stop, long ns) {
  pollfd fd{stop, POLLIN, 0};
  const timespec time{0, ns};
  return ::ppoll(&fd, 1, &time, nullptr) == 0;
}

// Threads that run or wait for a CPU now, on the whole host; 0 when the kernel does not say.
int ready_threads(int loadavg) {
  char text[128];
  const ssize_t n = ::pread(loadavg, text, sizeof(text) - 1, 0);
  if (n <= 0) return 0;
  text[n] = 0;
  int ready = 0;
  return std::sscanf(text, "%*s %*s %*s %d/", &ready) == 1 ? ready : 0;
}

void stay_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

void tick(int cpu, int cpus, int stop) {
  stay_on(cpu);
  use_fine_timers();
  use_short_slices();
  const Fd loadavg(::open("/proc/loadavg", O_RDONLY | O_CLOEXEC));
  bool crowded = false;
  for (int turn = 0; sleep_ns(stop, crowded ? kTickNs : kLookNs); ++turn) {
    if (crowded && turn % kTicksPerLook != 0) continue;
    crowded = ready_threads(loadavg.get()) - 1 > cpus;  // without this thread
  }
}

}  // namespace

void PreemptTicker::start() {
  stop_ = Fd(::eventfd(0, EFD_CLOEXEC));
  cpu_set_t allowed;
  if (!stop_ || ::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  const int cpus = CPU_COUNT(&allowed);
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the thread that owns the agent
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<size_t>(cpu), &allowed)) threads_.emplace_back([=, stop = stop_.get()] { tick(cpu, cpus, stop); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

PreemptTicker::~PreemptTicker() {
  if (stop_) ::eventfd_write(stop_.get(), 1);
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace dsm::os
