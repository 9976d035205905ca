// SPDX-License-Identifier: Apache-2.0
// The end of a thread of the program, at the origin: what the kernel would do for it, but cannot, because an exiting task is
// refused by userfaultfd. Robust mutexes that it holds are handed on, and the tid word is cleared for those who join.
#pragma once
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

// By the thread itself or by its shadow. `status` as for exit(2).
[[noreturn]] void thread_exit(Thread& thread, int64_t status);

}  // namespace dsm::runtime
