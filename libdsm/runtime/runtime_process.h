// SPDX-License-Identifier: Apache-2.0
// The root object: all mutable state of the runtime in this process that is not a thread's own. There is one, in .bss,
// set up by the entry code before a second thread exists. Nothing else in the runtime has static storage that changes.
#pragma once
#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/arena.h"
#include "libdsm/runtime/control.h"
#include "libdsm/runtime/dispatch.h"
#include "libdsm/runtime/lone_process.h"
#include "libdsm/runtime/private_fds.h"
#include "libdsm/runtime/refusals.h"
#include "libdsm/runtime/remote_process.h"
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

enum class Role : uint32_t { kApplication = 1, kVessel = 2 };

inline constexpr size_t kPathBytes = 4096;

struct Process {
  Role role;
  int32_t pid;                    // the program's, on every node
  abi::Welcome welcome;           // the agent's answer; constant after start
  Control control;
  int userfault_fd, memory_fd, board_fd;
  abi::Board* board;
  uint64_t vdso_bytes;            // vvar + vdso at abi::kVdsoBase
  uint64_t vdso_address;          // of the vdso proper, behind the vvar pages; 0 if the kernel has none

  Arena arena;
  ThreadPool threads;
  PrivateFds private_fds;
  DispatchTable calls;
  Refusals refusals;

  // Application only.
  AddressSpace memory;
  char program_path[kPathBytes];  // what /proc/self/exe names
  char runtime_path[kPathBytes];  // of the runtime's own binary, for execve
  uint64_t file_limit_hard;       // RLIMIT_NOFILE's hard limit as the program sees it; 0: the kernel's
  Lock exec_lock;
  uint32_t dying;                 // atomic; a thread is on its way to a core dump (core_dump.h)

  LoneState lone;                 // and children (lone_process.h)
  RemoteProcess remote;           // half that deals with other nodes (remote_process.h)
};

namespace detail {
extern Process the_process __attribute__((visibility("hidden")));
}
inline Process& process() { return detail::the_process; }
inline bool is_vessel() { return process().role == Role::kVessel; }

// A descriptor that the program must not see: moved, remembered, close-on-exec.
inline int to_private_fd(int fd) { return process().private_fds.adopt(fd); }

// ---- Start of a process, shared by both roles (startup.cc) -----------------------------------------------------------
// Opens the userfaultfd and the memfd behind program memory, makes the thread board; ends the process with a remedy
// when this machine does not allow it.
void open_memory_and_board();
// Moves [vvar*,vdso] to abi::kVdsoBase and unmaps everything that is not the runtime's. The initial stack is gone after it.
void clear_address_space();
// Hello and Welcome over process().control, and what follows from the answer: pid, virtual CPUs.
void greet_agent();
void send_hello();
void receive_welcome();
// The affinity of all virtual CPUs that process().welcome names, for this thread and those to come.
void take_virtual_cpus();

// Entry of the second role (vessel.cc); does not return. Runs on the stack of the calling thread's block.
[[noreturn]] void vessel_main();

}  // namespace dsm::runtime
