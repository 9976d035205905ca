// SPDX-License-Identifier: Apache-2.0
// Moving a thread that runs: its kernel thread at the origin becomes its shadow, or the shadow becomes the thread again; from one
// vessel to another the way leads through the origin, where the program does not run a single instruction.
//
// Who asks. The thread itself (dsm_migrate), an access to an origin-pinned page, or the origin's agent (dsm-stat migrate, draining,
// --chaos-migrate), which stores a move_request in the thread's slot of the board and then sends kSignalKick. The request is what
// counts, the kick only shortens the time; the agent kicks again until it sees the request taken. A random request kicks no thread whose
// state is kBlocked.
//
// Where a thread may move. In program code at once. In runtime code at the end of the system call, behind the delivery of signals.
// A call that sleeps and has done nothing yet is interrupted and made again on the other node, with what is left of its time limit
// (time_limit.h); one that has moved a part of its bytes goes on, and the thread moves when it ends. In the vdso nowhere: it reads
// the kernel's clock data of one node in several steps.
//
// The races, and what decides them
//  1. Request and the end of a call. The agent stores the request and then reads the state, the thread stores its state and then
//     reads the request: one of them sees the other (board::set_state_and_look). A kick that comes after the thread
//     has begun the next call interrupts that call in its first moment, and it is made again (kPendingMove, restart_interrupted).
//  2. Request and exit. The thread blocks all signals, then frees its slot; a request names its tid, so that it cannot
//     move the slot's next thread. A kick for a tid that is gone reaches nobody.
//  3. Request and signal. The signal comes first: its frame is built here, and the thread moves at the handler's first instruction. What
//     the kernel has queued stays with the tid. A signal that arrives while the thread becomes a shadow waits in the kernel.
//     One that was deferred before stays deferred, ahead of what is queued: the new worker fetches it, or its handler is entered at home.
//  4. Request and request. The later one replaces the earlier one in the slot; each is taken by one exchange. A request for
//     the node where the thread is by then does nothing.
//  5. Request and a thread that is being shipped. The shadow looks for it when the worker says kStarted.
//  6. Move and fork. A thread that leaves is waited for until it is a shadow. One that comes home becomes kProgram, then looks for a
//     stop request, as one that returns from the kernel does (stop_world.h): the fork sees kProgram, or the thread the fork.
//  7. Move and execve or exit_group, by whichever thread. The kernel ends the kernel thread at the origin, wherever it is; the
//     worker's channel and the control channel of its vessel close, and it is abandoned.
//  8. Request and execve. The kick is ignored from before the call until the new image has installed its handlers; that image has
//     a board of its own, without the request.
//  9. A refusal of the agent (signal_handlers.cc) names a kernel thread, which may run another thread when it comes: once a
//     thread has left the process, only the second refusal of an address in a row counts.
// 10. A pinned page and a request. The access is made at the origin first: a homecoming that nobody asked for does not look at
//     the request, so that the instruction retires.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

// Worker, having interrupted the program in `user`: the thread goes on at the origin; with channel::kMove where its request says, with
// channel::kForImage until the next image of the process is made.
[[noreturn]] void migrate_home(Thread& thread, UserContext& user, uint16_t why = 0);

// The local thread in `user` goes on on `node`.
[[noreturn]] void leave_origin(Thread& thread, const UserContext& user, uint32_t node);
// The program's state is in start_frame, all signals are blocked: this kernel thread becomes the shadow.
[[noreturn]] void become_shadow(Thread& thread, uint32_t node);

// Trap handler: the calling thread goes on on `node` behind its system call, with result 0. 0 if it is there already, -EINVAL for a node
// that does not exist, -EBUSY for one that is drained; a thread in a vessel goes home first.
int64_t migrate_self(Call& call, uint32_t node);

// Whether a thread that was interrupted in `user` stands where it may move.
bool may_move_at(const UserContext& user);

// False for a while after a move: until the thread has consumed kSettledCpuNs where it is. What it needs is fetched page by page first,
// and a thread that is moved faster than that gets nowhere. Only --chaos-migrate waits for it.
inline constexpr uint64_t kSettledCpuNs = 4'000'000;
bool is_settled(const Thread& thread);

// The local thread in `user`, at a place where it may move: follows its request, if there is one. Else it returns.
void move_if_asked(Thread& thread, UserContext& user);

// kSignalKick at the origin. Signal handler; `in_runtime`: runtime code was interrupted.
void on_move_kick(Thread& thread, UserContext& user, bool in_runtime);

// Shadow, all signals blocked, the program's state in start_frame and its channel given back: where does it go on? Here (it returns),
// or on another node.
void ship_on_if_asked(Thread& thread);

}  // namespace dsm::runtime
