// SPDX-License-Identifier: Apache-2.0
// What a shadow at the origin and a worker in a vessel say to each other, over the stream socket of their channel, and what the
// origin says to a vessel over its control channel. Little-endian, one build at both ends. A message is its struct, then
// the bytes that `header.bytes` counts. Strictly question and answer, but for kStarted, kExit and kHome, which are
// not answered.
//
//   origin -> worker:  kSpawn (starts a thread on an idle worker), kResult, kSignal (answers)
//   worker -> origin:  kStarted, kSyscall -> kResult, kClone -> kResult, kMask -> kResult,
//                      kSignalFetch -> kSignal, kFault -> kSignal, kExit, kHome
//   origin -> control: kKick
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "libdsm/runtime/thread_signals.h"
#include "libdsm/runtime/user_context.h"

namespace dsm::runtime::channel {

enum class Type : uint16_t {
  kSpawn = 1,
  kStarted = 2,
  kSyscall = 3,
  kResult = 4,
  kClone = 5,
  kExit = 6,
  kHome = 7,
  kSignalFetch = 8,
  kSignal = 9,
  kMask = 10,
  kFault = 11,
  kKick = 12,
};

enum Flag : uint16_t {
  kMarshalled = 1,    // kSyscall, kResult: the bytes that the arguments point to travel along (marshal.h)
  kHasSignal = 2,     // kResult, kSignal: a (further) signal waits at the shadow
  kNotMade = 4,       // kResult: -EINTR because of that signal, before the kernel was entered
  kPresent = 8,       // kSignal: there is one to deliver
  kRestartable = 32,  // kResult: -EINTR of a call that the kernel makes again under SA_RESTART
  kAgain = 64,        // kSyscall: the last call goes on, and so does its time limit. kSpawn, kHome: the next call is such a one
  kMayMove = 128,     // kSignalFetch: the thread stands where it may be moved
  kSettled = 512,     // kSignalFetch: it has not come by a move only just (migrate.h)
  kForImage = 1024,   // kHome: it comes to have a process image made, and goes back then
  kMove = 256,        // kSignal: and it shall: kHome is next. kHome: that is why it comes
};

struct Header {
  uint32_t bytes;     // after the message's struct
  Type type;
  uint16_t flags;
};
static_assert(sizeof(Header) == 8);

// The registers of a thread on the move; the XSAVE image follows the message.
struct Registers {
  UserContext context;
  uint64_t fs_base, gs_base;
};
static_assert(sizeof(Registers) == 320);

// What else moves with a thread.
struct Baggage {
  uint64_t mask;
  AltStack alt_stack;
  uint64_t robust_head, robust_bytes;
  uint64_t cpu_ns;         // kSpawn: consumed so far. kHome: consumed on the node that it leaves
  uint32_t migrations;     // kSpawn: this one included
  uint32_t pad;
  uint64_t time_left_ns;   // with kAgain: of the call's time limit, if the sender knows it; else 0
};
static_assert(sizeof(Baggage) == 72);

struct Spawn {
  Header header;
  int32_t tid;
  int32_t pid;
  uint64_t set_tid;        // CLONE_CHILD_SETTID: address that gets the tid, or 0
  Baggage baggage;
  Registers registers;
};
static_assert(sizeof(Spawn) == 416 && offsetof(Spawn, registers) == 96);

struct Started {
  Header header;
};

// Not a system call: the bytes that follow go to the address in arg[0].
inline constexpr int64_t kStoreNumber = -2;

struct Syscall {
  Header header;
  int64_t number;
  uint64_t mask;           // the program's, as of now
  uint64_t arg[6];
};
static_assert(sizeof(Syscall) == 72);

struct Result {
  Header header;
  int64_t value;
};
static_assert(sizeof(Result) == 16);

struct CloneRequest {      // clone(2) and clone3(2) in one form
  uint64_t flags;          // without the exit signal
  uint64_t exit_signal;
  uint64_t stack_top;      // 0: the parent's
  uint64_t parent_tid, child_tid, tls, pidfd;
  uint64_t cgroup;
};
static_assert(sizeof(CloneRequest) == 64);

struct Clone {
  Header header;
  CloneRequest request;
  Baggage baggage;
  Registers registers;     // of the parent, behind the system call
};
static_assert(sizeof(Clone) == 464);

struct Exit {
  Header header;
  int64_t status;
  uint64_t robust_head, robust_bytes;
  uint64_t cpu_ns;
};
static_assert(sizeof(Exit) == 40);

struct Home {
  Header header;
  Baggage baggage;
  Registers registers;
};
static_assert(sizeof(Home) == 400);

struct SignalFetch {
  Header header;
  uint64_t mask;
};

struct Mask {
  Header header;
  uint64_t mask;
};

struct Fault {
  Header header;
  uint64_t mask;
  KernelSigInfo info;
};
static_assert(sizeof(Fault) == 144);

struct Signal {
  Header header;
  uint64_t base_mask;      // what the handler's mask is added to
  KernelSigInfo info;
  KernelSigAction action;
};
static_assert(sizeof(Signal) == 176);

struct Kick {
  Header header;
  int32_t tid;
  uint32_t pad;
};
static_assert(sizeof(Kick) == 16);

}  // namespace dsm::runtime::channel
