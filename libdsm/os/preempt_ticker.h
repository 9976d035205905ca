// SPDX-License-Identifier: Apache-2.0
// Shorter turns on a crowded host. Several nodes on one host (a demonstration, the tests) each offer all its CPUs, so a
// program has more threads than CPUs; one that spins at a barrier then keeps its CPU for a whole scheduler tick, 4 ms, while the
// thread that it waits for is ready to run. A thread for each CPU that wakes every 0.3 ms for nothing makes the scheduler choose
// anew: a conjugate gradient in OpenMP, 4 threads on 2 CPUs, took 7.5 s with it and 25 s without. When no thread waits
// for a CPU it looks only every 10 ms.
#pragma once
#include <thread>
#include <vector>

#include "libdsm/os/fd.h"

namespace dsm::os {

class PreemptTicker {
 public:
  PreemptTicker() = default;
  ~PreemptTicker();  // ends the threads
  PreemptTicker(const PreemptTicker&) = delete;
  PreemptTicker& operator=(const PreemptTicker&) = delete;

  // Starts a thread for each CPU that this process may use. Once only.
  void start();

 private:
  Fd stop_;  // an eventfd: readable when the threads must end
  std::vector<std::thread> threads_;
};

}  // namespace dsm::os
