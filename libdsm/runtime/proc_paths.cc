// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/proc_paths.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

// A file of /proc, whole, in the arena; given back by its owner.
class WholeFile {
 public:
  WholeFile(Arena& arena, const char* path) : arena_(arena), text_(static_cast<char*>(arena.take(kCapacity))) {
    const int64_t fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (is_error(fd)) return;
    while (size_ < kCapacity - 1) {
      const int64_t got = sys(__NR_read, fd, text_ + size_, kCapacity - 1 - size_);
      if (got == -EINTR) continue;
      if (got <= 0) break;
      size_ += static_cast<size_t>(got);
    }
    sys(__NR_close, fd);
    text_[size_] = 0;
  }
  ~WholeFile() { arena_.give_back(text_, kCapacity); }
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;
  const char* text() const { return text_; }

 private:
  static constexpr size_t kCapacity = 4 << 20;
  Arena& arena_;
  char* text_;
  size_t size_ = 0;
};

void write_all(int64_t fd, const char* text, size_t size) {
  while (size > 0) {
    const int64_t put = sys(__NR_write, fd, text, size);
    if (put == -EINTR) continue;
    if (put <= 0) return;
    text += put;
    size -= static_cast<size_t>(put);
  }
}

const char* end_of_line(const char* text) {
  while (*text != 0 && *text != '\n') text++;
  return *text != 0 ? text + 1 : text;
}

// One block a CPU, separated by empty lines; the first line is "processor : N".
void write_cpuinfo(int64_t fd, const char* native, uint32_t cpus) {
  const char* block = native;
  for (uint32_t cpu = 0; cpu < cpus; cpu++) {
    if (*block == 0) block = native;   // more CPUs than this machine has: its list again
    const char* rest = end_of_line(block);
    const char* end = rest;
    while (*end != 0 && *end != '\n') end = end_of_line(end);
    end = end_of_line(end);
    char first[64];
    TextBuffer line(first, sizeof first);
    line.text("processor\t: ").decimal(cpu).text("\n");
    write_all(fd, line.data(), line.size());
    write_all(fd, rest, static_cast<size_t>(end - rest));
    block = end;
  }
}

// "cpu  total", one line a CPU, the rest.
void write_stat(int64_t fd, const char* native, uint32_t cpus) {
  const char* lines = end_of_line(native);
  write_all(fd, native, static_cast<size_t>(lines - native));
  const char* rest = lines;
  while (starts_with(rest, "cpu")) rest = end_of_line(rest);
  const char* line = lines;
  for (uint32_t cpu = 0; cpu < cpus && lines < rest; cpu++) {
    if (line >= rest) line = lines;
    const char* numbers = line;
    while (*numbers != ' ' && *numbers != 0) numbers++;
    char name[24];
    TextBuffer head(name, sizeof name);
    head.text("cpu").decimal(cpu);
    write_all(fd, head.data(), head.size());
    write_all(fd, numbers, static_cast<size_t>(end_of_line(line) - numbers));
    line = end_of_line(line);
  }
  write_all(fd, rest, strlen(rest));
}

}  // namespace

bool is_own_exe_link(const char* path) {
  if (!starts_with(path, "/proc/")) return false;
  const char* rest = path + 6;
  if (equal(rest, "self/exe") || equal(rest, "thread-self/exe")) return true;
  if (*rest < '0' || *rest > '9') return false;
  const uint64_t pid = parse_decimal(&rest);
  return pid == static_cast<uint64_t>(process().pid) && equal(rest, "/exe");
}

char first_byte_of(const char* path) {
  const int64_t fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (is_error(fd)) return 0;
  char first = 0;
  sys(__NR_read, fd, &first, 1);
  sys(__NR_close, fd);
  return first;
}

int64_t descriptor_of(const char* path) {
  const bool in_proc = starts_with(path, "/proc/self/fd/");
  if (!in_proc && !starts_with(path, "/dev/fd/")) return -1;
  const char* digits = path + (in_proc ? sizeof "/proc/self/fd/" : sizeof "/dev/fd/") - 1;
  if (*digits < '0' || *digits > '9') return -1;
  const uint64_t fd = parse_decimal(&digits);
  return *digits == 0 && fd <= INT32_MAX ? static_cast<int64_t>(fd) : -1;
}

bool lists_own_descriptors(int64_t fd) {
  char link[40], path[64] = {};
  TextBuffer(link, sizeof link).text("/proc/self/fd/").decimal(fd);
  if (sys(__NR_readlinkat, AT_FDCWD, link, path, sizeof path - 1) <= 0 || !starts_with(path, "/proc/")) return false;
  const char* rest = path + 6;
  if (parse_decimal(&rest) != static_cast<uint64_t>(process().pid)) return false;
  if (starts_with(rest, "/task/")) {
    rest += 6;
    parse_decimal(&rest);
  }
  return equal(rest, "/fd") || equal(rest, "/fdinfo");
}

CpuFile cpu_file(const char* path) {
  if (equal(path, "/proc/cpuinfo")) return CpuFile::kCpuInfo;
  if (equal(path, "/proc/stat")) return CpuFile::kStat;
  constexpr char kFolder[] = "/sys/devices/system/cpu/";
  if (!starts_with(path, kFolder)) return CpuFile::kNone;
  const char* name = path + sizeof kFolder - 1;
  return equal(name, "online") || equal(name, "possible") || equal(name, "present") ? CpuFile::kList : CpuFile::kNone;
}

int64_t open_cpu_file(CpuFile file, uint64_t open_flags) {
  if ((open_flags & O_ACCMODE) != O_RDONLY) return -EACCES;
  const uint32_t cpus = process().welcome.total_cpus;
  const int64_t fd = sys(__NR_memfd_create, "dsm-cpus", (open_flags & O_CLOEXEC) != 0 ? MFD_CLOEXEC : 0);
  if (is_error(fd)) return fd;
  if (file == CpuFile::kList) {
    char text[32];
    TextBuffer line(text, sizeof text);
    line.text("0");
    if (cpus > 1) line.text("-").decimal(cpus - 1);
    line.text("\n");
    write_all(fd, line.data(), line.size());
  } else {
    const WholeFile native(process().arena, file == CpuFile::kCpuInfo ? "/proc/cpuinfo" : "/proc/stat");
    if (file == CpuFile::kCpuInfo)
      write_cpuinfo(fd, native.text(), cpus);
    else
      write_stat(fd, native.text(), cpus);
  }
  sys(__NR_lseek, fd, 0, 0);
  return fd;
}

}  // namespace dsm::runtime
