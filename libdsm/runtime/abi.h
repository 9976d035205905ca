// SPDX-License-Identifier: Apache-2.0
// The whole contract between a runtime (the freestanding half inside the application and every vessel) and its
// node agent. Freestanding-clean: constants and plain structs only. Little-endian x86-64, one job, one build:
// both ends come from the same installation, and kVersion is compared at Hello.
//
// Control socket: AF_UNIX SOCK_SEQPACKET, one Packet a datagram, descriptors by SCM_RIGHTS.
//  - Application: the runtime sends a request and reads exactly one Reply (serialised by a lock in the runtime).
//  - Vessel: Hello/Welcome/Ready, then the agent sends NewChannel packets and nothing is answered.
// A closed socket means that the agent is gone: the process exits at once (exit status kExitOurs).
#pragma once
#include <stdint.h>

namespace dsm::abi {

inline constexpr uint32_t kVersion = 3;

// ---- Address space -------------------------------------------------------------------------------------------
// The program's memory is one sparse memfd, file offset = virtual address, mapped MAP_SHARED everywhere.
inline constexpr uint64_t kPageSize = 4096;
inline constexpr uint64_t kBlockSize = 2u << 20;
inline constexpr uint64_t kUserBegin = 0x10000;                 // the lowest address a vessel maps
inline constexpr uint64_t kUserEnd = 0x7ffffffff000;            // also the memfd's size
// Above the heap of position-independent programs, and where neither AddressSanitizer (its allocator is at 0x600000000000,
// or 0x500000000000 in newer ones) nor ThreadSanitizer expects anything of its own.
inline constexpr uint64_t kRuntimeBegin = 0x558000000000;       // never program memory: the runtime's text, data,
inline constexpr uint64_t kRuntimeEnd = 0x568000000000;         //   stacks, and [vvar,vdso] moved to kVdsoBase
inline constexpr uint64_t kVdsoBase = 0x567ff0000000;           // same in every process of a job

// ---- Signals that the runtime reserves -------------------------------------------------------------------------
inline constexpr int kSignalRefusal = 61;   // agent -> faulting thread: si_errno = Refusal, si_value = address
inline constexpr int kSignalKick = 62;      // vessel control thread -> vessel thread: ask your shadow. Origin's agent -> thread of the
                                            //   program: look at your slot's move_request
inline constexpr int kSignalStop = 63;      // stop the world; the program is gone

// Why an access was refused. The faulting instruction gets the real signal, except kPinned: the thread moves to
// the origin and goes on there.
enum class Refusal : int32_t { kUnmapped = 1, kProtection = 2, kBeyondFile = 3, kPinned = 4 };

inline constexpr int kExitOurs = 125;

// ---- Control packets -------------------------------------------------------------------------------------------
enum class Op : uint32_t {
  // runtime -> agent
  kHello = 1,        // + fds: userfaultfd, memfd, thread board memfd
  kMapAdd = 2,       // + fd of the file for kFileRead (and, optional, for naming a file-backed private range)
  kMapProtect = 3,   // protection change inside existing ranges
  kMapRemove = 4,    // forget and drop; the kernel mapping is already gone
  kMapDrop = 5,      // MADV_DONTNEED: content to zero, range stays
  kOpenChannel = 6,  // reply + fd: a stream socket to the vessel of `node`
  kFreeze = 7,       // fork: bring the newest bytes of the range to the origin, nobody writes elsewhere until kThaw
  kThaw = 8,
  kReady = 9,        // vessel: flat memory is mapped, channels may come
  kStats = 10,       // dsm.h statistics of this job; answered by ReplyStats
  kExecBegin = 11,   // execve in the job's process: forget every range; a new kHello follows on the same socket
  // Shared anonymous memory that a forked child will write, too: it leaves the memfd and becomes kPinned. After kPin is answered
  // the memfd has the newest content, nobody else has any of it, and whoever touches the range here waits. kPinned says
  // that another mapping with this content stands there: the memfd's is dropped, and they go on.
  kPin = 12,
  kPinned = 13,
  kJoin = 15,        // a lone process to the launcher, on the socket that all processes of the job share; + fd: the launcher's end of the
                     //   process's control socket to be, where it answers (kReply)
  kCpuTime = 14,     // the reply's status: CPU time of the program's threads on the other nodes so far, in ns
  kProcessImage = 16,   // + fd: the process image (process_image.h), the program stands still; answered when the checkpoint is kept or has failed
  // agent -> runtime
  kWelcome = 64,
  kReply = 65,
  kReplyStats = 66,
  kNewChannel = 67,  // + fd; the first one of a vessel is its control channel
};

enum class MapKind : uint32_t {
  kPrivate = 1,   // lives in the memfd: anonymous, brk, stacks, private file mappings that were read in
  kFileRead = 2,  // private file mapping without PROT_WRITE: native at the origin, content for others comes from the file
  kPinned = 3,    // never leaves the origin: shared file mappings, devices, SysV, memory shared with a forked child
};

inline constexpr uint32_t kProtRead = 1, kProtWrite = 2, kProtExec = 4;   // as PROT_*

struct Hello {
  uint32_t version;
  int32_t pid;             // of this process
  uint64_t vdso_bytes;     // vvar + vdso, for comparing nodes
};
struct Join {
  uint32_t version;
  int32_t pid;             // must be what the kernel says of the sender
};
// The agent registers [start,start+length) with the userfaultfd before it answers: MINOR|WP while the blocks are
// native, MISSING|MINOR|WP where they are open. The runtime maps with PROT_NONE first and sets the real protection
// after the reply, so that nothing is touched unregistered. kFileRead and kPinned are not registered.
struct MapAdd {
  uint64_t start, length;
  uint32_t prot;
  MapKind kind;
  uint64_t file_offset;    // kFileRead: of `start`
  uint64_t file_bytes;     // kFileRead: bytes of the file behind the range; beyond its last page is kBeyondFile
};
struct MapProtect {        // downgrades: answered when no other node can still use the old rights; content is kept
  uint64_t start, length;
  uint32_t prot;
  uint32_t pad;
};
struct MapRange {          // kMapRemove, kMapDrop, kFreeze, kThaw, kPin, kPinned
  uint64_t start, length;
};
struct ProcessImage {
  uint64_t losses;         // things that a restart cannot bring back, named in the image
};
struct OpenChannel {
  uint32_t node;
  uint32_t pad;
};
struct Welcome {
  uint32_t version;
  uint32_t node, nodes;          // this node and how many there are
  uint32_t total_cpus;           // what the program is told: the sum over nodes
  int32_t app_pid;               // the program's pid, as every node must report it
  uint32_t spin_us;              // how long a channel's end may poll before it blocks; 0: never
  uint32_t place;                // Placement
  uint32_t place_node;           // for kPlaceNode
  uint32_t verbose;
  uint32_t origin_clock;         // nodes on several hosts: no vdso, and the monotonic clocks are the origin's
  uint32_t cpus_of_node[1];      // of this node
  uint32_t hosts;                // machines that the nodes are on
  uint64_t node_memory_bytes;    // budget of each node; 0: what its machine has
};
enum Placement : uint32_t { kPlaceRoundRobin = 0, kPlaceFill = 1, kPlaceLocal = 2, kPlaceNode = 3, kPlaceLeast = 4 };
// What `--place` calls them, and what the runtime runs (placement_policies.h). kPlaceNode is written node:K.
struct PlacementName {
  const char* name;
  Placement policy;
  const char* what;
};
inline constexpr PlacementName kPlacementNames[] = {
    {"rr", kPlaceRoundRobin, "round robin"},
    {"fill", kPlaceFill, "node by node"},
    {"local", kPlaceLocal, "all on node 0"},
    {"node", kPlaceNode, "all on node K"},
    {"least", kPlaceLeast, "where the fewest threads run for a CPU"},
};
struct Reply {
  int64_t status;                // 0 or -errno
};
struct ReplyStats {
  int64_t status;
  uint64_t read_faults, write_faults, pages_in, pages_out, bytes_in, bytes_out;
};

struct Packet {
  Op op;
  uint32_t serial;               // echoed in the reply
  union {
    Hello hello;
    Join join;
    MapAdd map_add;
    MapProtect map_protect;
    MapRange range;
    OpenChannel open_channel;
    ProcessImage process_image;
    Welcome welcome;
    Reply reply;
    ReplyStats stats;
    uint8_t bytes[120];
  };
};
static_assert(sizeof(Packet) == 128);

// ---- Thread board ----------------------------------------------------------------------------------------------
// One memfd per process, mapped shared by runtime (writer) and agent (reader). Every field is written by the
// thread that owns the slot, relaxed except where noted. The agent writes `drained`, `cpus` and, to ask a thread to
// move, `move_request`; it reads the rest.
inline constexpr uint32_t kBoardSlots = 8192;
inline constexpr uint32_t kEndedSlots = 8192;   // the last threads that ended here, for the report

enum class ThreadState : uint32_t {
  kFree = 0,
  kRunning = 1,    // user code (or about to be)
  kBlocked = 2,    // inside a system call that may block; uses no page until it is kRunning again (release store)
  kShadow = 3,     // origin only: the thread runs elsewhere, on `node`
  kWaiting = 4,    // as kBlocked, and an interruption does no harm: the call is made again as it was
};

// A wish in a slot: this thread shall go on on that node. It names the tid, since slots are used again.
// kIfSettled: unless it has come by a move only just (runtime/migrate.h); then the request is void.
inline constexpr uint64_t kIfSettled = 0x80000000;
constexpr uint64_t move_request(uint32_t tid, uint32_t node) { return uint64_t{tid} << 32 | (node + 1); }
constexpr uint32_t request_tid(uint64_t request) { return static_cast<uint32_t>(request >> 32); }
constexpr uint32_t request_node(uint64_t request) { return (static_cast<uint32_t>(request) & ~uint32_t{kIfSettled}) - 1; }   // request != 0

struct ThreadSlot {
  uint32_t tid;              // the program's tid
  uint32_t kernel_tid;       // of the thread in this process
  ThreadState state;
  uint32_t node;             // where it runs
  uint32_t migrations;
  uint32_t visited_nodes;    // bit n: ran on node n (n < 32)
  uint64_t local_calls, delegated_calls;
  uint64_t cpu_ns;           // consumed here so far; written at exit and at every blocking call
  uint64_t move_request;     // 0: none. The agent stores (then looks at `state`), the thread takes; both seq_cst
  uint64_t reserved;
};
static_assert(sizeof(ThreadSlot) == 64);

inline constexpr uint32_t kBoardNodes = 256;

struct Board {
  uint32_t version;
  uint32_t high_water;       // slots in use are below this; only grows
  uint32_t threads_ever;     // threads created in the program's life
  uint32_t remote_threads_ever;
  uint32_t remote_by_node[kBoardNodes];
  uint32_t ended_ever;       // ended[ended_ever % kEndedSlots] is written next
  uint32_t migrations_ever;  // moves that were completed, of all threads
  uint64_t drained[kBoardNodes / 64];   // bit n: no new thread goes to node n; written by the origin's agent
  uint32_t checkpoint_request;          // 1: the first thread of the origin that is kicked takes a checkpoint; written by the origin's agent
  uint32_t pad;
  uint16_t cpus[kBoardNodes];           // of each node; written by the origin's agent before Welcome
  ThreadSlot slot[kBoardSlots];
  ThreadSlot ended[kEndedSlots];   // state kFree; the rest as it was at the end
};

}  // namespace dsm::abi
