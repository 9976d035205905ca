// SPDX-License-Identifier: Apache-2.0
// Process images as a damaged disk or somebody else may hand them over: what check_process_image() lets pass must be safe to use
// as process_image.h promises. The promise is worked out again here, in numbers that cannot overflow.
#include <cstring>
#include <set>

#include "libdsm/base/check.h"
#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/process_image.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace dsm;
using namespace dsm::image;
using Wide = unsigned __int128;

void check_span(const View& view, Span span) { DSM_CHECK(Wide{span.offset} + span.bytes <= view.bytes.count); }

void check_text(const View& view, Span span) {
  check_span(view, span);
  DSM_CHECK(Wide{span.offset} + span.bytes < view.bytes.count && span.bytes < kMostText);
  DSM_CHECK(std::strlen(view.text(span)) == span.bytes);
}

template <class T>
void check_inside(const uint8_t* data, size_t size, const Records<T>& records) {
  const auto* first = reinterpret_cast<const uint8_t*>(records.first);
  DSM_CHECK(first >= data && first <= data + size);
  DSM_CHECK(Wide{records.count} * sizeof(T) <= static_cast<size_t>(data + size - first));
  DSM_CHECK(reinterpret_cast<uintptr_t>(first) % 8 == 0);
}

void check_threads(const View& view) {
  std::set<int32_t> tids;
  DSM_CHECK(view.threads.count > 0 && view.threads[0].tid == view.process->pid);
  for (const Thread& thread : view.threads) {
    DSM_CHECK(thread.tid > 0 && tids.insert(thread.tid).second);
    const uint64_t rip = thread.context.reg[runtime::kRip];
    DSM_CHECK(rip < abi::kUserEnd && (rip < abi::kRuntimeBegin || rip >= abi::kRuntimeEnd));
    check_span(view, thread.registers);
    DSM_CHECK(thread.registers.bytes <= kMostFpBytes && (thread.registers.bytes == 0 || thread.registers.bytes >= 512));
    DSM_CHECK(std::memchr(thread.name, 0, sizeof thread.name) != nullptr);
  }
  for (const PendingSignal& signal : view.signals) {
    DSM_CHECK(signal.tid == 0 || tids.contains(signal.tid));
    DSM_CHECK(signal.info.signo >= 1 && signal.info.signo <= 64);
  }
  for (const PosixTimer& timer : view.timers) DSM_CHECK(timer.id >= 0 && (timer.tid == 0 || tids.contains(timer.tid)));
}

void check_ranges(const View& view) {
  Wide end = abi::kUserBegin;
  for (const Range& range : view.ranges) {
    DSM_CHECK(range.start >= end && range.end > range.start && range.end <= abi::kUserEnd);
    DSM_CHECK(range.start % abi::kPageSize == 0 && range.end % abi::kPageSize == 0 && range.offset % abi::kPageSize == 0);
    DSM_CHECK(range.end <= abi::kRuntimeBegin || range.start >= abi::kRuntimeEnd);
    DSM_CHECK(Wide{range.offset} + (range.end - range.start) <= static_cast<Wide>(INT64_MAX));
    check_span(view, range.content);
    if (range.path.bytes != 0) check_text(view, range.path);
    if (range.source == RangeSource::kSharedMemory || range.source == RangeSource::kCopied) DSM_CHECK(range.content.bytes <= range.end - range.start);
    end = range.end;
  }
}

void check_files(const View& view) {
  for (const OpenFile& file : view.files) {
    if (file.path.bytes != 0) check_text(view, file.path);
    check_span(view, file.content);
    if (file.kind == FileKind::kLaunchers) DSM_CHECK(file.number[0] <= 2);
    if (file.kind == FileKind::kListener) DSM_CHECK(file.content.bytes <= kMostAddress);
  }
  int64_t before = -1;
  for (const Descriptor& number : view.numbers) {
    DSM_CHECK(number.number > before && number.file < view.files.count);
    before = number.number;
  }
  for (const FileLock& lock : view.locks) DSM_CHECK(lock.file < view.files.count && Wide{lock.start} + lock.length <= static_cast<Wide>(INT64_MAX));
  for (const EpollWatch& watch : view.watches) DSM_CHECK(watch.epoll < view.files.count && view.files[watch.epoll].kind == FileKind::kEpoll);
}

void check_promise(const uint8_t* data, size_t size, const View& view) {
  check_inside(data, size, view.threads);
  check_inside(data, size, view.ranges);
  check_inside(data, size, view.actions);
  check_inside(data, size, view.signals);
  check_inside(data, size, view.intervals);
  check_inside(data, size, view.timers);
  check_inside(data, size, view.files);
  check_inside(data, size, view.numbers);
  check_inside(data, size, view.watches);
  check_inside(data, size, view.limits);
  check_inside(data, size, view.lost);
  check_inside(data, size, view.bytes);
  check_inside(data, size, view.locks);
  check_text(view, view.process->program_path);
  check_text(view, view.process->folder);
  check_span(view, view.process->arguments);
  check_span(view, view.process->environment);
  check_span(view, view.process->auxiliary);
  check_threads(view);
  check_ranges(view);
  check_files(view);
  for (const Lost& lost : view.lost) check_text(view, lost.what);
}

// An image of a small process, made by hand: two threads, three ranges, a pipe, an epoll set.
class Seed {
 public:
  std::string make() {
    Process process{};
    process.pid = 100;
    process.umask = 022;
    process.break_start = 0x10000000;
    process.break_now = 0x10001000;
    process.map_top = abi::kUserEnd - (16 << 20);
    process.program_path = text("/bin/program");
    process.folder = text("/");
    process.arguments = bytes(std::string("program\0-x\0", 11));
    process.environment = bytes(std::string("A=1\0", 4));
    process.auxiliary = bytes(std::string(32, '\0'));
    add(SectionKind::kProcess, process);
    for (const int32_t tid : {100, 104, 105}) add_thread(tid);
    add(SectionKind::kRanges, Range{0x400000, 0x401000, RangeSource::kFileRead, 5, 0, 0, 0, text("/bin/program"), 4096, 1, {}});
    add(SectionKind::kRanges, Range{0x10000000, 0x10001000, RangeSource::kMemory, 3, 0, 0, 0, {}, 0, 0, {}});
    add(SectionKind::kRanges, Range{0x20000000, 0x20002000, RangeSource::kSharedMemory, 3, 1, 0, 0, {}, 0, 0, bytes("shared")});
    for (int i = 0; i < 64; ++i) add(SectionKind::kActions, Action{});
    PendingSignal signal{104, 0, {}};
    signal.info.signo = 10;
    add(SectionKind::kSignals, signal);
    for (int i = 0; i < 3; ++i) add(SectionKind::kIntervals, Interval{1, 0, 1, 500000});
    add(SectionKind::kTimers, PosixTimer{1, 1, 4, 12, 104, 0, 5, 0, 0, 3, 4});
    add(SectionKind::kFiles, OpenFile{FileKind::kLaunchers, 2, 0, 0, 5, {1}, text("/dev/null"), {}, 0, 0});
    add(SectionKind::kFiles, OpenFile{FileKind::kPath, 2, 7, 1, 6, {10}, text("/tmp/file"), {}, 0, 0});
    add(SectionKind::kFiles, OpenFile{FileKind::kPipe, 0, 0, 1, 7, {7, 65536}, {}, bytes("waiting"), 0, 0});
    add(SectionKind::kFiles, OpenFile{FileKind::kEpoll, 2, 0, 1, 8, {}, {}, {}, 0, 0});
    for (const int32_t number : {1, 3, 4, 5}) add(SectionKind::kNumbers, Descriptor{number, static_cast<uint32_t>(number == 1 ? 0 : number - 2), 0, 0});
    add(SectionKind::kWatches, EpollWatch{3, 4, 1, 0, 99});
    add(SectionKind::kLocks, FileLock{1, LockKind::kPosix, 1, 0, 5, 10});
    for (int i = 0; i < 16; ++i) add(SectionKind::kLimits, Limit{1024, 4096});
    add(SectionKind::kLost, Lost{LostKind::kChild, 0, 0, text("child processes")});
    return assemble();
  }

 private:
  void add_thread(int32_t tid) {
    Thread thread{};
    thread.tid = tid;
    std::strcpy(thread.name, "worker");
    thread.context.reg[runtime::kRip] = 0x400100;
    std::string registers(832, '\0');
    const uint32_t claim[2] = {0x46505853, 832};
    std::memcpy(registers.data() + 464, claim, sizeof claim);
    thread.registers = bytes(registers);
    add(SectionKind::kThreads, thread);
  }
  template <class T>
  void add(SectionKind kind, const T& record) {
    section(kind).append(reinterpret_cast<const char*>(&record), sizeof record);
  }
  std::string& section(SectionKind kind) { return section_[static_cast<uint32_t>(kind) - 1]; }
  Span bytes(const std::string& value) {
    std::string& all = section(SectionKind::kBytes);
    all.resize((all.size() + 7) / 8 * 8);
    const Span span{static_cast<uint32_t>(all.size()), static_cast<uint32_t>(value.size())};
    all += value;
    return span;
  }
  Span text(const std::string& value) {
    Span span = bytes(value + '\0');
    span.bytes--;
    return span;
  }
  std::string assemble() {
    std::string image(sizeof(Header) + kSections * sizeof(Section), '\0');
    for (uint32_t i = 0; i < kSections; ++i) {
      image.resize((image.size() + 7) / 8 * 8);
      const auto kind = static_cast<SectionKind>(i + 1);
      const Section entry{kind, record_bytes(kind), image.size(), section_[i].size() / record_bytes(kind)};
      std::memcpy(image.data() + sizeof(Header) + i * sizeof(Section), &entry, sizeof entry);
      image += section_[i];
    }
    const Header header{kMagic, kVersion, kSections, image.size(), 0};
    std::memcpy(image.data(), &header, sizeof header);
    return image;
  }
  std::string section_[kSections];
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint64_t> aligned(size / 8 + 1);
  std::memcpy(aligned.data(), data, size);
  // Else hardly any mutation of the length would come further than the first look.
  if (size >= sizeof(Header)) reinterpret_cast<Header*>(aligned.data())->total_bytes = size;
  View view;
  const auto* bytes = reinterpret_cast<const uint8_t*>(aligned.data());
  if (check_process_image(bytes, size, &view) == nullptr) check_promise(bytes, size, view);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string seed = Seed().make();
  View view;
  std::vector<uint64_t> aligned(seed.size() / 8 + 1);
  std::memcpy(aligned.data(), seed.data(), seed.size());
  const char* bad = check_process_image(aligned.data(), seed.size(), &view);
  DSM_CHECK(bad == nullptr);
  return {seed};
}
