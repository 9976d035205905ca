// SPDX-License-Identifier: Apache-2.0
// The process image: what a process is apart from the content of its memory, as a byte stream. Written by the origin's runtime
// while the world stands still (image_writer.h), kept by the agent as the section "process" of a checkpoint, checked
// (check_process_image) and then read by the runtime that becomes the process again (image_restore.h). docs/process-image.md explains it.
//
// Layout: Header, Section[kSections], then the sections, each a packed array of one record. Little endian, fixed width, no holes that
// are not named. Every offset counts from the beginning of the image; every reference to bytes (text, register images, content of
// pipes) is a Span inside the section kBytes. A reader refuses another version: an image is restored by the build that wrote it or by one
// that knows its version.
//
// Whatever is read back is hostile until checked. Nothing here allocates or calls anything; C++ outside the runtime may include it.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "libdsm/runtime/abi.h"
#include "libdsm/runtime/user_context.h"

namespace dsm::image {

inline constexpr uint64_t kMagic = 0x4547'414d'494d'5344;   // "DSMIMAGE"
inline constexpr uint32_t kVersion = 1;
inline constexpr uint64_t kMostBytes = 4ull << 30;

// Values are never used again for something else.
enum class SectionKind : uint32_t {
  kProcess = 1,    // one Process
  kThreads = 2,    // Thread, the main thread (tid == pid) first
  kRanges = 3,     // Range, ascending
  kActions = 4,    // Action of signals 1..64
  kSignals = 5,    // PendingSignal, in the order in which they are queued again
  kIntervals = 6,  // Interval: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF
  kTimers = 7,     // PosixTimer, ascending by id
  kFiles = 8,      // OpenFile: one for each open file description
  kNumbers = 9,    // Descriptor, ascending
  kWatches = 10,   // EpollWatch
  kLimits = 11,    // Limit of resources 0..15
  kLost = 12,      // Lost: what a restart cannot bring back
  kBytes = 13,     // uint8_t
  kLocks = 14,     // FileLock
};
inline constexpr uint32_t kSections = 14;   // each kind once, in this order

struct Section {
  SectionKind kind;
  uint32_t record_bytes;
  uint64_t offset;
  uint64_t count;
};

struct Header {
  uint64_t magic;
  uint32_t version;
  uint32_t sections;      // kSections
  uint64_t total_bytes;   // of the whole image
  uint64_t flags;         // 0
};

struct Span {             // in kBytes. A text has no end mark in the span, but one 0 byte behind it
  uint32_t offset, bytes;
};

// ---- The process --------------------------------------------------------------------------------------------------------
struct Process {
  int32_t pid;
  uint32_t umask;
  uint64_t personality;
  uint64_t break_start, break_now;
  uint64_t map_top;                 // end of the highest place that mmap chooses
  uint64_t file_limit_hard;         // RLIMIT_NOFILE as the program sees it; 0: the kernel's
  uint32_t lock_future;             // mlockall(MCL_FUTURE)
  uint32_t threads_ever, remote_threads_ever, threads_placed;
  uint32_t dumpable, no_new_privileges, child_subreaper, pad;
  // The vdso that the program has been told of; 0: none.
  uint64_t vdso_address, vdso_bytes, vdso_digest;
  // Clocks at the cut, in ns: deadlines count from here.
  uint64_t monotonic_ns, boottime_ns, realtime_ns;
  // What /proc/self shows of the image (struct prctl_mm_map).
  uint64_t code_start, code_end, data_start, data_end, stack_start;
  Span program_path, folder;        // /proc/self/exe, the current directory
  Span arguments, environment;      // strings, each with its end mark
  Span auxiliary;                   // pairs of uint64_t
};
static_assert(sizeof(Process) == 208);

enum ThreadFlags : uint32_t {
  kAgain = 1,          // the next trap is an interrupted call that goes on: deadline_ns is its time limit
  kEnded = 2,          // the main thread, which has ended before the others: nothing but its tid counts
};

struct Thread {
  int32_t tid;
  uint32_t home;                    // the node where it ran
  uint32_t flags;                   // ThreadFlags
  uint32_t pad;
  uint64_t deadline_ns;             // CLOCK_MONOTONIC, of the call that goes on; 0: none
  uint64_t fs_base, gs_base;
  uint64_t stack_base, stack_bytes; // the program's alternate signal stack
  uint32_t stack_flags, pad2;
  uint64_t robust_head, robust_bytes, clear_tid;
  uint64_t cpu_ns;                  // consumed so far on all nodes
  uint64_t affinity[16];
  char name[16];
  Span registers;                   // the XSAVE image that belongs to `context`
  int32_t policy, nice;             // sched_setattr
  uint32_t priority, timer_slack_ns;
  runtime::UserContext context;     // fp, stack_*: void. mask: the program's
};
static_assert(sizeof(Thread) == 568);
static_assert(offsetof(Thread, context) == 264);

// ---- Memory -------------------------------------------------------------------------------------------------------------
inline constexpr uint32_t kNoFile = ~0u;
enum class RangeSource : uint32_t {
  kMemory = 1,       // pages of the checkpoint; `path` names the file that they were read from, if any
  kFileRead = 2,     // private read-only mapping of `path`, which must be as it was
  kSharedFile = 3,   // mapping of `path` that never leaves the origin: shared, or private behind the end of the file
  kSharedMemory = 4, // shared anonymous memory that a child shared: its content is in `content`
  kReserved = 5,     // what stood here is lost (kLost names it): mapped without access
  kCopied = 6,       // as kMemory, but its content is in `content`: of a file that has no name any more
};
struct Range {
  uint64_t start, end;
  RangeSource source;
  uint32_t prot;                    // PROT_*
  uint32_t flags;                   // program_map.h's RangeFlags
  uint32_t is_private;              // kSharedFile: MAP_PRIVATE
  uint64_t offset;                  // in the file, of `start`
  Span path;
  uint64_t file_bytes;              // size and time of change of the file at the cut
  int64_t file_time_ns;
  Span content;
};
static_assert(sizeof(Range) == 72);

// ---- Signals and timers -----------------------------------------------------------------------------------------------
struct Action {
  runtime::KernelSigAction action;
};
struct PendingSignal {
  int32_t tid;                      // 0: the process's
  int32_t pad;
  runtime::KernelSigInfo info;
};
static_assert(sizeof(PendingSignal) == 136);

struct Interval {                   // struct itimerval
  int64_t interval_s, interval_us, left_s, left_us;
};
struct PosixTimer {
  int32_t id, clock;
  int32_t notify, signal;           // SIGEV_*
  int32_t tid;                      // SIGEV_THREAD_ID
  int32_t pad;
  uint64_t value;
  int64_t interval_s, interval_ns, left_s, left_ns;   // left 0: disarmed
};
static_assert(sizeof(PosixTimer) == 64);

// ---- Files --------------------------------------------------------------------------------------------------------------
enum class FileKind : uint32_t {
  kPath = 1,         // opened again by path; number[0]: size at the cut
  kFolder = 2,
  kDevice = 3,       // character device by path
  kTerminal = 4,     // the terminal of whoever restarts
  kLaunchers = 5,    // stdin, stdout or stderr (number[0]) as the launcher hands it; if that is the regular file of `path`, its
                     //   offset, and its size in append mode (number[1]), are set back
  kMemory = 6,       // a file without a name: `content`, number[0]: seals
  kPipe = 7,         // one end; number[0]: inode (both ends of a pipe have the same), number[1]: capacity; `content` at the read end
  kEvent = 8,        // eventfd. number[0]: count, number[1]: 1 as a semaphore
  kTimer = 9,        // timerfd. number[0]: clock, [1]: expirations not read yet, [2], [3]: left and interval in ns
  kSignal = 10,      // signalfd. number[0]: mask
  kEpoll = 11,
  kListener = 12,    // a bound socket. number[0]: domain, [1]: type, [2]: protocol, [3]: 1 it listens; `content`: the address
  kSocket = 13,      // a socket that is neither bound nor connected: numbers as above
  kLost = 14,        // cannot be brought back: the number is taken by a socket whose peer has closed. kLost names it
};
struct OpenFile {
  FileKind kind;
  uint32_t flags;                   // fcntl(F_GETFL)
  uint64_t offset;
  uint64_t device, inode;
  uint64_t number[4];               // as FileKind says
  Span path, content;
  int32_t owner, owner_signal;      // fcntl(F_GETOWN), F_GETSIG; 0: none
};
static_assert(sizeof(OpenFile) == 88);

struct Descriptor {
  int32_t number;
  uint32_t file;                    // index in kFiles
  uint32_t close_on_exec;
  uint32_t pad;
};
struct EpollWatch {
  uint32_t epoll;                   // index in kFiles
  int32_t number;                   // the descriptor that is watched
  uint32_t events, pad;
  uint64_t data;
};
enum class LockKind : uint32_t { kFlock = 1, kPosix = 2, kOpenFile = 3 };   // flock, fcntl F_SETLK, F_OFD_SETLK
struct FileLock {
  uint32_t file;                    // index in kFiles
  LockKind kind;
  uint32_t exclusive, pad;
  uint64_t start, length;           // length 0: to the end of the file
};
static_assert(sizeof(FileLock) == 32);

struct Limit {
  uint64_t soft, hard;
};

// ---- What is lost -----------------------------------------------------------------------------------------------------
enum class LostKind : uint32_t { kDescriptor = 1, kMemory = 2, kChild = 3, kOther = 4 };
struct Lost {
  LostKind kind;
  int32_t number;                   // descriptor or pid
  uint64_t address;                 // of memory
  Span what;                        // for people
};
static_assert(sizeof(Lost) == 24);

static_assert(sizeof(Header) == 32 && sizeof(Section) == 24 && sizeof(Span) == 8 && sizeof(Action) == 32);

constexpr uint32_t record_bytes(SectionKind kind) {
  switch (kind) {
    case SectionKind::kProcess: return sizeof(Process);
    case SectionKind::kThreads: return sizeof(Thread);
    case SectionKind::kRanges: return sizeof(Range);
    case SectionKind::kActions: return sizeof(Action);
    case SectionKind::kSignals: return sizeof(PendingSignal);
    case SectionKind::kIntervals: return sizeof(Interval);
    case SectionKind::kTimers: return sizeof(PosixTimer);
    case SectionKind::kFiles: return sizeof(OpenFile);
    case SectionKind::kNumbers: return sizeof(Descriptor);
    case SectionKind::kWatches: return sizeof(EpollWatch);
    case SectionKind::kLimits: return sizeof(Limit);
    case SectionKind::kLost: return sizeof(Lost);
    case SectionKind::kBytes: return 1;
    case SectionKind::kLocks: return sizeof(FileLock);
  }
  return 0;
}

// ---- Reading ------------------------------------------------------------------------------------------------------------
template <class T>
struct Records {
  const T* first = nullptr;
  uint64_t count = 0;
  const T& operator[](uint64_t index) const { return first[index]; }
  const T* begin() const { return first; }
  const T* end() const { return first + count; }
};

// An image that has passed check_process_image(). Points into it.
struct View {
  const Process* process = nullptr;
  Records<Thread> threads;
  Records<Range> ranges;
  Records<Action> actions;
  Records<PendingSignal> signals;
  Records<Interval> intervals;
  Records<PosixTimer> timers;
  Records<OpenFile> files;
  Records<Descriptor> numbers;
  Records<EpollWatch> watches;
  Records<Limit> limits;
  Records<Lost> lost;
  Records<uint8_t> bytes;
  Records<FileLock> locks;

  const uint8_t* data(Span span) const { return bytes.first + span.offset; }
  const char* text(Span span) const { return reinterpret_cast<const char*>(bytes.first + span.offset); }
};

// nullptr and the view, or one phrase for people that names the field. `data` is aligned to 8 and must not change afterwards. Then:
// every span lies in kBytes, every text is terminated, shorter than 4096 bytes and without a 0 inside; ranges are whole pages, ascending,
// disjoint, and keep clear of the runtime; tids, descriptors and timers are unique and positive; every index is in range; the
// instruction pointer of no thread lies in the runtime or its vdso; register images have the size that they claim.
const char* check_process_image(const void* data, uint64_t bytes, View* view);

}  // namespace dsm::image
