// SPDX-License-Identifier: Apache-2.0
// execve of a process that is watched: a real execve of the runtime, "dsm-runtime child SPEC PROGRAM ARGV...", with the launcher's
// descriptor inherited; the kernel does the rest of what belongs to an execve. Programs that the runtime cannot stand in for get the
// kernel's own execve, which also has the errors to give.
//
// Context: trap handler of a lone process or of a child of vfork. The latter shares memory with its parent, which goes on when
// the execve succeeds: nothing may be held or left behind, but one array that the parent gives back.
#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/stat.h>

#include "libdsm/runtime/execute.h"
#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/proc_paths.h"
#include "libdsm/runtime/program_file.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kOwnWords = 4;           // dsm-runtime child SPEC PROGRAM
constexpr uint64_t kWordsOnStack = 1024;    // of the array, the end included
constexpr uint64_t kNoLimit = ~uint64_t{0};

struct Execution {
  Thread& thread;
  char path[kPathBytes];
  uint64_t argv, environment;
};

// ---- Which programs -----------------------------------------------------------------------------------------------

// The kernel takes privileges from the program's own file, which the runtime would hide from it.
bool gives_privileges(int fd) {
  struct stat status;
  if (sys(__NR_fstat, fd, &status) != 0) return true;
  if ((status.st_mode & (S_ISUID | S_ISGID)) != 0) return true;
  return sys(__NR_fgetxattr, fd, "security.capability", nullptr, 0) > 0;
}

// A debugger shall see the program's execve and its system calls.
bool is_traced() {
  char text[1024];
  const int64_t fd = sys(__NR_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (is_error(fd)) return false;
  const int64_t got = sys(__NR_read, fd, text, sizeof text - 1);
  sys(__NR_close, fd);
  text[got > 0 ? got : 0] = 0;
  for (const char* at = text; *at != 0; at++)
    if (starts_with(at, "\nTracerPid:\t")) return !starts_with(at, "\nTracerPid:\t0\n");
  return false;
}

bool has_room() {
  return resource_limit(RLIMIT_NOFILE).hard >= PrivateFds::kLeastHardLimit && resource_limit(RLIMIT_AS).soft == kNoLimit &&
         resource_limit(RLIMIT_DATA).soft == kNoLimit;
}

// PREFIX/lib/dsm/dsm-runtime -> PREFIX/bin/dsm...: a launcher or an agent is no part of a job.
bool is_of_dsm(const char* path) {
  const char* const runtime = process().runtime_path;
  const char* const parts = "/lib/dsm/dsm-runtime";
  const size_t length = strlen(runtime), tail = strlen(parts);
  if (equal(path, runtime)) return true;
  if (length < tail || !equal(runtime + length - tail, parts)) return false;
  return memcmp(path, runtime, length - tail) == 0 && starts_with(path + length - tail, "/bin/dsm");
}

bool can_be_watched(const char* path) {
  if (!has_room() || is_traced()) return false;
  ProgramFile file;
  return check_program(path, file) == 0 && !gives_privileges(file.program.fd) && !is_of_dsm(file.path);
}

// ---- The execve -----------------------------------------------------------------------------------------------------

int64_t count_words(uint64_t array) {
  int64_t count = 0;
  for (; array != 0; array += sizeof(uint64_t), count++) {
    uint64_t word;
    if (const int64_t error = read_program(word, array); error != 0) return error;
    if (word == 0) break;
  }
  return count;
}

class InheritedInExec {
 public:
  InheritedInExec(int64_t fd, bool wanted) : fd_(wanted ? fd : -1) { set(0); }
  ~InheritedInExec() { set(FD_CLOEXEC); }
  InheritedInExec(const InheritedInExec&) = delete;
  InheritedInExec& operator=(const InheritedInExec&) = delete;

 private:
  void set(int flag) const {
    if (fd_ >= 0) sys(__NR_fcntl, fd_, F_SETFD, flag);
  }
  int64_t fd_;
};

// Returns when the runtime cannot be executed here: not there (chroot), not allowed, no room for four more words.
void execute_runtime(const Execution& wanted, uint64_t* array, uint64_t words) {
  const int64_t named = descriptor_of(wanted.path);
  const bool held = named >= 0 && sys(__NR_fcntl, named, F_GETFD) == FD_CLOEXEC;
  char spec[128];
  TextBuffer text(spec, sizeof spec);
  write_lone_spec(text);
  const char* const own[kOwnWords] = {process().runtime_path, held ? "child-held" : "child", spec, wanted.path};
  memcpy(array, own, sizeof own);
  uint64_t* rest = array + kOwnWords;
  if (words == 0) {
    rest[0] = reinterpret_cast<uint64_t>("");   // as Linux since 5.18
    rest[1] = 0;
  } else {
    if (copy_from_program(rest, wanted.argv, words * sizeof(uint64_t)) != 0) return;
    rest[words] = 0;
  }
  const InheritedInExec launcher(process().lone.launcher_fd, true), program(named, held);
  sys(__NR_execve, process().runtime_path, array, wanted.environment);
}

int64_t execute(const Execution& wanted) {
  const int64_t words = count_words(wanted.argv);
  if (words < 0) return words;
  if (can_be_watched(wanted.path)) {
    const uint64_t needed = kOwnWords + static_cast<uint64_t>(words) + 2;
    if (needed <= kWordsOnStack) {
      uint64_t array[kWordsOnStack];
      execute_runtime(wanted, array, static_cast<uint64_t>(words));
    } else {
      ThreadRemote& remote = wanted.thread.remote;
      remote.exec_bytes = needed * sizeof(uint64_t);
      remote.exec_array = process().arena.take(remote.exec_bytes);
      execute_runtime(wanted, static_cast<uint64_t*>(remote.exec_array), static_cast<uint64_t>(words));
      give_back_exec_array(wanted.thread);
    }
  }
  return sys(__NR_execve, wanted.path, wanted.argv, wanted.environment);
}

// "A,B,C": the number, and the text behind the comma.
uint64_t next_number(const char** text) {
  const uint64_t value = parse_decimal(text);
  if (**text == ',') (*text)++;
  return value;
}

}  // namespace

void write_lone_spec(TextBuffer& out) {
  const abi::Welcome& welcome = process().welcome;
  out.decimal(process().lone.launcher_fd).text(",").decimal(welcome.nodes).text(",").decimal(welcome.total_cpus);
  out.text(",").decimal(welcome.cpus_of_node[0]).text(",").decimal(welcome.origin_clock).text(",").decimal(welcome.verbose);
  out.text(",").decimal(welcome.hosts).text(",").decimal(welcome.node_memory_bytes);
}

void read_lone_spec(const char* text) {
  Process& self = process();
  self.lone.alone = self.lone.executed = true;
  self.lone.launcher_fd = to_private_fd(static_cast<int>(next_number(&text)));
  abi::Welcome& welcome = self.welcome;
  welcome = {};
  welcome.version = abi::kVersion;
  welcome.nodes = static_cast<uint32_t>(next_number(&text));
  welcome.total_cpus = static_cast<uint32_t>(next_number(&text));
  welcome.cpus_of_node[0] = static_cast<uint32_t>(next_number(&text));
  welcome.origin_clock = static_cast<uint32_t>(next_number(&text));
  welcome.verbose = static_cast<uint32_t>(next_number(&text));
  welcome.hosts = static_cast<uint32_t>(next_number(&text));
  welcome.node_memory_bytes = next_number(&text);
}

void give_back_exec_array(Thread& thread) {
  ThreadRemote& remote = thread.remote;
  if (remote.exec_array != nullptr) process().arena.give_back(remote.exec_array, remote.exec_bytes);
  remote.exec_array = nullptr;
}

int64_t lone_execve(Call& call) {
  Execution wanted = {call.thread, {}, call.arg[1], call.arg[2]};
  const int64_t length = copy_string_from_program(wanted.path, call.arg[0], sizeof wanted.path);
  if (length < 0) return length;
  if (is_own_exe_link(wanted.path)) memcpy(wanted.path, process().program_path, sizeof wanted.path);
  return execute(wanted);
}

int64_t lone_execveat(Call& call) {
  Execution wanted = {call.thread, {}, call.arg[2], call.arg[3]};
  if (const int64_t error = path_of_execveat(call, wanted.path); error != 0) return error;
  return execute(wanted);
}

}  // namespace dsm::runtime
