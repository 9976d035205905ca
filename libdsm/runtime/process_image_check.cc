// SPDX-License-Identifier: Apache-2.0
// The promise of process_image.h. Pure: looks at nothing but the bytes, so that it can be fuzzed by itself.
#include "libdsm/runtime/process_image.h"

#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/runtime_layout.h"

namespace dsm::image {
namespace {

constexpr uint32_t kFpMagic1 = 0x46505853;   // FP_XSTATE_MAGIC1
constexpr uint32_t kLegacyFpBytes = 512;

struct Count {
  uint64_t least, most;
};
constexpr Count allowed_count(SectionKind kind) {
  switch (kind) {
    case SectionKind::kProcess: return {1, 1};
    case SectionKind::kThreads: return {1, kMostThreads};
    case SectionKind::kActions: return {64, 64};
    case SectionKind::kIntervals: return {3, 3};
    case SectionKind::kLimits: return {16, 16};
    case SectionKind::kRanges: return {1, kMostRanges};
    case SectionKind::kFiles:
    case SectionKind::kNumbers: return {0, kMostDescriptors};
    default: return {0, kMostRecords};
  }
}

class Checker {
 public:
  Checker(const uint8_t* data, uint64_t bytes, View& view) : data_(data), bytes_(bytes), view_(view) {}

  const char* run() {
    if (const char* bad = sections(); bad != nullptr) return bad;
    const char* (Checker::*const checks[])() = {&Checker::process, &Checker::threads, &Checker::ranges, &Checker::signals,
                                                &Checker::timers,  &Checker::files,   &Checker::numbers, &Checker::lost};
    for (auto check : checks)
      if (const char* bad = (this->*check)(); bad != nullptr) return bad;
    return nullptr;
  }

 private:
  const char* sections() {
    if (bytes_ < sizeof(Header) + kSections * sizeof(Section)) return "the image is shorter than its header";
    const auto& header = *reinterpret_cast<const Header*>(data_);
    if (header.magic != kMagic) return "the image does not begin as a process image";
    if (header.version != kVersion) return "the image has another version";
    if (header.sections != kSections || header.flags != 0) return "the header names sections that this version does not know";
    if (header.total_bytes != bytes_ || bytes_ > kMostBytes) return "the image has another length than its header says";
    const auto* section = reinterpret_cast<const Section*>(data_ + sizeof(Header));
    uint64_t end = sizeof(Header) + kSections * sizeof(Section);
    for (uint32_t i = 0; i < kSections; i++) {
      const Section& at = section[i];
      if (at.kind != static_cast<SectionKind>(i + 1)) return "the sections are not in their order";
      const uint32_t record = record_bytes(at.kind);
      if (at.record_bytes != record) return "a section has records of another size";
      const Count allowed = allowed_count(at.kind);
      if (at.kind != SectionKind::kBytes && (at.count < allowed.least || at.count > allowed.most)) return "a section has an impossible number of records";
      if (at.offset % 8 != 0 || at.offset < end || at.offset > bytes_ || at.count > (bytes_ - at.offset) / record)
        return "a section lies outside of the image";
      end = at.offset + at.count * record;
      attach(at);
    }
    if (view_.bytes.count > UINT32_MAX) return "the bytes are more than a span can name";
    return nullptr;
  }

  template <class T>
  void set(Records<T>& records, const Section& section) {
    records = {reinterpret_cast<const T*>(data_ + section.offset), section.count};
  }
  void attach(const Section& section) {
    switch (section.kind) {
      case SectionKind::kProcess: view_.process = reinterpret_cast<const Process*>(data_ + section.offset); return;
      case SectionKind::kThreads: return set(view_.threads, section);
      case SectionKind::kRanges: return set(view_.ranges, section);
      case SectionKind::kActions: return set(view_.actions, section);
      case SectionKind::kSignals: return set(view_.signals, section);
      case SectionKind::kIntervals: return set(view_.intervals, section);
      case SectionKind::kTimers: return set(view_.timers, section);
      case SectionKind::kFiles: return set(view_.files, section);
      case SectionKind::kNumbers: return set(view_.numbers, section);
      case SectionKind::kWatches: return set(view_.watches, section);
      case SectionKind::kLimits: return set(view_.limits, section);
      case SectionKind::kLost: return set(view_.lost, section);
      case SectionKind::kBytes: return set(view_.bytes, section);
      case SectionKind::kLocks: return set(view_.locks, section);
    }
  }

  bool inside(Span span) const { return span.offset <= view_.bytes.count && span.bytes <= view_.bytes.count - span.offset; }
  bool is_text(Span span) const {
    if (!inside(span) || span.bytes >= kMostText || span.offset + uint64_t{span.bytes} >= view_.bytes.count) return false;
    const uint8_t* text = view_.data(span);
    for (uint32_t i = 0; i < span.bytes; i++)
      if (text[i] == 0) return false;
    return text[span.bytes] == 0;
  }
  bool is_path(Span span) const { return is_text(span) && span.bytes > 0 && view_.data(span)[0] == '/'; }
  bool ends_strings(Span span) const { return inside(span) && (span.bytes == 0 || view_.data(span)[span.bytes - 1] == 0); }

  const char* process() {
    const Process& p = *view_.process;
    if (p.pid <= 0 || p.pid > kMostPid) return "the pid is none";
    if (p.umask > 0777) return "the umask has bits that no umask has";
    if (p.break_start > p.break_now || p.break_now > abi::kRuntimeBegin) return "the break lies outside of the heap's room";
    if (p.map_top > abi::kUserEnd || p.map_top % abi::kPageSize != 0) return "the top of the mappings lies outside of the address space";
    if (!is_path(p.program_path) || !is_path(p.folder)) return "a path of the process is none";
    if (!ends_strings(p.arguments) || !ends_strings(p.environment) || !inside(p.auxiliary)) return "the arguments lie outside of the image";
    if (p.auxiliary.bytes % 16 != 0 || p.auxiliary.bytes > kMostAuxiliary || p.auxiliary.offset % 8 != 0) return "the auxiliary vector is none";
    return nullptr;
  }

  const char* threads() {
    const Process& p = *view_.process;
    for (uint64_t i = 0; i < view_.threads.count; i++) {
      const Thread& t = view_.threads[i];
      if (t.tid <= 0 || t.tid > kMostPid) return "a thread's id is none";
      if (i == 0 ? t.tid != p.pid : t.tid == p.pid) return "the main thread is not the first";
      if (i > 1 && t.tid <= view_.threads[i - 1].tid) return "the threads are not in their order";
      if (t.home >= abi::kBoardNodes) return "a thread's node does not exist";
      if ((t.flags & ~uint32_t{kAgain | kEnded}) != 0 || ((t.flags & kEnded) != 0 && i != 0)) return "a thread has flags that this version does not know";
      if (t.fs_base >= abi::kUserEnd || t.gs_base >= abi::kUserEnd) return "a thread's segment base is no user address";
      if (const char* bad = registers(t); bad != nullptr) return bad;
      bool ended = false;
      for (const char byte : t.name) ended = ended || byte == 0;
      if (!ended) return "a thread's name has no end";
    }
    return nullptr;
  }

  const char* registers(const Thread& t) const {
    const uint64_t rip = t.context.reg[runtime::kRip];
    if (rip >= abi::kUserEnd || runtime::in_runtime_range(rip)) return "a thread's instruction pointer is not the program's";
    if (!inside(t.registers) || t.registers.bytes > kMostFpBytes || t.registers.offset % 8 != 0)
      return "a thread's registers lie outside of the image";
    if (t.registers.bytes == 0) return nullptr;
    if (t.registers.bytes < kLegacyFpBytes) return "a thread's register image is too short";
    uint32_t claim[2];
    const uint8_t* software = view_.data(t.registers) + 464;
    __builtin_memcpy(claim, software, sizeof claim);
    const uint32_t claimed = claim[0] == kFpMagic1 ? claim[1] : kLegacyFpBytes;
    return claimed == t.registers.bytes ? nullptr : "a thread's register image has another size than it claims";
  }

  const char* ranges() {
    uint64_t end = abi::kUserBegin;
    for (const Range& r : view_.ranges) {
      if (r.start % abi::kPageSize != 0 || r.end % abi::kPageSize != 0 || r.start >= r.end) return "a range is not whole pages";
      if (r.start < end || r.end > abi::kUserEnd) return "the ranges overlap or leave the address space";
      if (r.start < abi::kRuntimeEnd && r.end > abi::kRuntimeBegin) return "a range lies in the runtime";
      end = r.end;
      if (r.prot > 7 || (r.flags & ~kKnownRangeFlags) != 0 || r.is_private > 1) return "a range has flags that this version does not know";
      if (r.source < RangeSource::kMemory || r.source > RangeSource::kCopied) return "a range has an unknown source";
      const bool needs_file = r.source == RangeSource::kFileRead || r.source == RangeSource::kSharedFile;
      if (needs_file ? !is_path(r.path) : r.path.bytes != 0 && !is_path(r.path)) return "a range's file has no path";
      if (r.offset % abi::kPageSize != 0 || r.offset > INT64_MAX - (r.end - r.start)) return "a range's place in its file is none";
      if (!inside(r.content)) return "a range's content lies outside of the image";
      if (r.source >= RangeSource::kSharedMemory && r.content.bytes > r.end - r.start) return "a range has more content than room";
    }
    return nullptr;
  }

  bool has_thread(int32_t tid) const {
    if (tid == view_.process->pid) return true;
    uint64_t low = 1, high = view_.threads.count;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      if (view_.threads[middle].tid < tid)
        low = middle + 1;
      else
        high = middle;
    }
    return low < view_.threads.count && view_.threads[low].tid == tid;
  }

  const char* signals() {
    for (const PendingSignal& s : view_.signals) {
      if (s.tid != 0 && !has_thread(s.tid)) return "a signal waits for a thread that there is not";
      if (s.info.signo < 1 || s.info.signo > 64) return "a signal's number is none";
    }
    return nullptr;
  }

  const char* timers() {
    constexpr int64_t kSecond = 1'000'000'000, kMicroseconds = 1'000'000;
    for (const Interval& t : view_.intervals)
      if (t.interval_s < 0 || t.left_s < 0 || t.interval_us < 0 || t.left_us < 0 || t.interval_us >= kMicroseconds || t.left_us >= kMicroseconds)
        return "an interval timer's time is none";
    int32_t before = -1;
    for (const PosixTimer& t : view_.timers) {
      if (t.id <= before || t.id > kMostTimerId) return "the timers are not in their order";
      before = t.id;
      if (t.interval_s < 0 || t.left_s < 0 || t.interval_ns < 0 || t.left_ns < 0 || t.interval_ns >= kSecond || t.left_ns >= kSecond)
        return "a timer's time is none";
      if (t.signal < 0 || t.signal > 64) return "a timer's signal is none";
      if (t.tid != 0 && !has_thread(t.tid)) return "a timer signals a thread that there is not";
    }
    return nullptr;
  }

  const char* files() {
    for (const OpenFile& f : view_.files) {
      if (f.kind < FileKind::kPath || f.kind > FileKind::kLost) return "a file has an unknown kind";
      const bool needs_path = f.kind == FileKind::kPath || f.kind == FileKind::kFolder || f.kind == FileKind::kDevice;
      if (needs_path ? !is_path(f.path) : f.path.bytes != 0 && !is_text(f.path)) return "a file has no path";
      if (f.offset > INT64_MAX) return "a file's offset is none";
      if (!inside(f.content)) return "a file's content lies outside of the image";
      if (f.kind == FileKind::kLaunchers && f.number[0] > 2) return "a descriptor of the launcher is none of its three";
      if (f.kind == FileKind::kListener && (f.content.bytes == 0 || f.content.bytes > kMostAddress)) return "a socket's address is none";
    }
    return nullptr;
  }

  const char* numbers() {
    int32_t before = -1;
    for (const Descriptor& d : view_.numbers) {
      if (d.number <= before || static_cast<uint64_t>(d.number) >= kMostDescriptors) return "the descriptors are not in their order";
      before = d.number;
      if (d.file >= view_.files.count || d.close_on_exec > 1) return "a descriptor has no file";
    }
    for (const FileLock& l : view_.locks) {
      if (l.file >= view_.files.count || l.kind < LockKind::kFlock || l.kind > LockKind::kOpenFile || l.exclusive > 1) return "a lock has no file or kind";
      if (l.start > INT64_MAX || l.length > INT64_MAX - l.start) return "a lock's place is none";
    }
    for (const EpollWatch& w : view_.watches)
      if (w.epoll >= view_.files.count || view_.files[w.epoll].kind != FileKind::kEpoll || w.number < 0) return "a watch has no epoll set";
    return nullptr;
  }

  const char* lost() {
    for (const Lost& l : view_.lost)
      if (!is_text(l.what)) return "what is lost has no name";
    return nullptr;
  }

  const uint8_t* data_;
  uint64_t bytes_;
  View& view_;
};

}  // namespace

const char* check_process_image(const void* data, uint64_t bytes, View* view) {
  *view = {};
  return Checker(static_cast<const uint8_t*>(data), bytes, *view).run();
}

}  // namespace dsm::image
