// SPDX-License-Identifier: Apache-2.0
// Other processes: start one, watch it, signal one of its threads.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/base/result.h"
#include "libdsm/os/fd.h"

namespace dsm::os {

struct SpawnOptions {
  std::string path;
  std::vector<std::string> arguments;    // argv, argv[0] included
  std::vector<std::string> environment;  // NAME=value
  int inherited_fd = -1;                 // stays open under its own number
  bool quiet_stdio = true;               // standard input and output are /dev/null, not ours
  bool die_with_parent = true;           // PR_SET_PDEATHSIG(SIGKILL): when the calling thread ends
  bool fixed_addresses = true;           // personality(ADDR_NO_RANDOMIZE)
};

// A child process. Destroying the object neither kills nor reaps it.
class Child {
 public:
  Child() = default;
  Child(int pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  static Result<Child> spawn(const SpawnOptions& options);

  int pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }  // readable when it has ended
  bool running() const { return pid_ > 0; }
  void kill_if_running(int signal) const;
  // Reaps it if it has ended and says how ("exited with status 3", "killed by signal 9"); empty while it runs.
  std::string reap_if_ended();

 private:
  int pid_ = 0;
  Fd pidfd_;
};

// A pidfd of any process; Fd{} with errno.
Fd open_pidfd(int pid);

// Queues `signal` with si_code SI_QUEUE, si_errno and si_value to one thread. 0 or -errno.
int queue_thread_signal(int pid, ThreadId thread, int signal, int32_t error, uint64_t value);

// CPU time that all threads of the process have used so far, those that ended included; 0 when there is no such process.
uint64_t process_cpu_ns(int pid);

int own_pid();
uint64_t own_private_bytes();   // resident memory of this process that it shares with nobody
int online_cpus();  // that this process may use
std::string host_name();
int raise_fd_limit();  // soft limit of descriptors to the hard one; 0 or -errno
// Sleeps of this thread end as soon as they may, not up to 50 us later.
void use_fine_timers();
// Asks the scheduler for the shortest time slices for this thread (0.1 ms; sched_setattr(2), no privilege needed).
// Since Linux 6.12 a thread that wakes then preempts one with longer slices, so an agent is not kept waiting for
// milliseconds by threads that compute; older kernels ignore it. Children do not inherit it. 0 or -errno.
int use_short_slices();
void yield();

}  // namespace dsm::os
