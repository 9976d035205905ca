// SPDX-License-Identifier: Apache-2.0
// A lone process: a child of the program that has no agents. Its memory is the kernel's own private memory and it has one thread;
// the runtime only stands between it and the kernel (traps, signals, the private descriptors), so that its children are seen,
// too, and so that it can join: when a program that began with an execve makes its first thread, the launcher is
// asked for agents, the memory moves into the memfd, and from then on it is a distributed process like the first one. If there are no
// agents for it, it is let go: the traps end and it is an ordinary process.
//
// How processes come to be here (`dsm-launch --children`):
//   fork           the child is a copy, and lone (lone_fork.cc)
//   vfork          the child shares the address space until its execve; only what it does to itself is handled (lone_spawn.cc)
//   execve         of a program that can be watched: a fresh runtime, "dsm-runtime child ..." (lone_exec.cc)
//   first thread   joins the job (lone_join.cc, address_join.cc) or is let go (lone_calls.cc)
//
// Context: trap handler of the only thread, unless noted.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace dsm::runtime {

struct Call;
struct Thread;
struct CallRules;
struct CloneParent;
class TextBuffer;
namespace channel {
struct CloneRequest;
}

struct LoneState {
  bool alone;         // the rules of lone_calls.cc hold
  bool executed;      // alone: the program began with an execve, so its threads may take part in the job
  bool joined;        // was alone once: the launcher is not the parent
  int launcher_fd;    // private; where to ask for agents. 0: children are not watched and run natively
};

inline bool watches_children(const LoneState& lone) { return lone.launcher_fd != 0; }

// What differs while the process is alone; all other calls keep their rules.
CallRules lone_call_rules();

// ---- lone_exec.cc ----------------------------------------------------------------------------------------------------
// The rest of "child SPEC": what the new image must know. Written by whoever executes, read at the start.
void write_lone_spec(TextBuffer& out);
// Takes the launcher's descriptor over and fills process().welcome.
void read_lone_spec(const char* text);
// execve and execveat, by a lone process or by a child of vfork: of the runtime if the program can be watched, else of the program
// itself, which then is an ordinary process. Also at the origin's other threads' side of vfork: takes no lock.
int64_t lone_execve(Call& call);
int64_t lone_execveat(Call& call);
// What a child of vfork has left behind at its execve; by its parent.
void give_back_exec_array(Thread& thread);

// ---- lone_fork.cc ----------------------------------------------------------------------------------------------------
int64_t fork_alone(CloneParent& parent, const channel::CloneRequest& request);
// In the new process of any fork, whose memory is private by now: it is alone, and goes on where its parent called.
[[noreturn]] void go_on_alone(Thread& child);

// ---- lone_spawn.cc ---------------------------------------------------------------------------------------------------
// First instructions of a child of vfork.
[[noreturn]] void spawned_main(Thread* child);
// A system call of such a child: the runtime's state is its parent's and must not change.
int64_t run_in_spawned_child(Call& call);

// ---- lone_join.cc ----------------------------------------------------------------------------------------------------
// True: the process is distributed now. False: nothing has changed.
bool join_job();

}  // namespace dsm::runtime
