// SPDX-License-Identifier: Apache-2.0
// The file family. Descriptors are the origin's and native; the handlers here keep the program off the runtime's own, give names
// that mean this process their right meaning, and lead around what would bypass page tables. Everything else runs natively.
#include <asm-generic/errno.h>
#include <linux/fcntl.h>

#include "libdsm/runtime/direct_io.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/proc_maps.h"
#include "libdsm/runtime/proc_paths.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

bool is_hidden(uint64_t fd) { return process().private_fds.is_private(static_cast<int32_t>(fd)); }

// ---- Calls whose first argument is a descriptor that must not be ours --------------------------------------------
int64_t do_on_descriptor(Call& call) { return is_hidden(call.arg[0]) ? -EBADF : run_natively(call); }

int64_t do_transfer(Call& call) {
  if (is_hidden(call.arg[0])) return -EBADF;
  return is_direct_transfer(call) ? direct_transfer(call) : run_natively(call);
}

int64_t do_dup_to(Call& call) {
  return is_hidden(call.arg[0]) || is_hidden(call.arg[1]) ? -EBADF : run_natively(call);
}

int64_t do_ftruncate(Call& call) {
  const int64_t result = do_on_descriptor(call);
  if (result == 0) process().memory.file_resized(static_cast<int32_t>(call.arg[0]));
  return result;
}

// Everything but the hidden ones: piece by piece between them.
int64_t do_close_range(Call& call) {
  const uint64_t first = static_cast<uint32_t>(call.arg[0]), last = static_cast<uint32_t>(call.arg[1]);
  const PrivateFds& hidden = process().private_fds;
  if (first > last) return -EINVAL;
  for (uint64_t at = first; at <= last;) {
    const int64_t next = hidden.next_private(static_cast<int64_t>(at));
    const uint64_t stop = next < 0 || static_cast<uint64_t>(next) > last ? last + 1 : static_cast<uint64_t>(next);
    if (stop > at)
      if (const int64_t error = sys(__NR_close_range, at, stop - 1, call.arg[2]); error != 0) return error;
    at = stop + 1;
  }
  return 0;
}

// ---- Paths ------------------------------------------------------------------------------------------------------
// A path that may have to be changed lies in /proc or /sys; anything else is left to the kernel, unread but for its
// first bytes.
bool is_special_path(uint64_t address, char* path) {
  char head[5] = {};
  if (copy_from_program(head, address, 5) != 0 && copy_from_program(head, address, 1) != 0) return false;
  if (memcmp(head, "/proc", 5) != 0 && memcmp(head, "/sys/", 5) != 0) return false;
  return copy_string_from_program(path, address, kPathBytes) > 0;
}

// arg[path] := the program's own file when it names /proc/self/exe. `storage` holds it while the call runs.
void translate_exe_link(Call& call, unsigned path, char* storage) {
  if (is_special_path(call.arg[path], storage) && is_own_exe_link(storage))
    call.arg[path] = reinterpret_cast<uint64_t>(process().program_path);
}

// openat() of "maps" in a folder of /proc: the whole path. False: another name, or not such a folder.
bool is_maps_in_folder(Call& call, unsigned path, char* whole) {
  char name[6] = {};
  if (path == 0 || (copy_from_program(name, call.arg[path], 6) != 0 && copy_from_program(name, call.arg[path], 5) != 0)) return false;
  if (!equal(name, "maps") && !equal(name, "smaps")) return false;
  char link[48];
  TextBuffer where(link, sizeof link);
  if (static_cast<int32_t>(call.arg[path - 1]) == AT_FDCWD)
    where.text("/proc/self/cwd");
  else
    where.text("/proc/self/fd/").decimal(static_cast<int32_t>(call.arg[path - 1]));
  constexpr size_t kMostFolder = 64;   // those in /proc are short
  const int64_t length = sys(__NR_readlinkat, AT_FDCWD, link, whole, kMostFolder);
  if (length <= 0 || length == kMostFolder) return false;
  whole[length] = 0;
  TextBuffer rest(whole + length, kPathBytes - static_cast<size_t>(length));
  rest.text("/").text(name);
  return true;
}

int64_t open_path(Call& call, unsigned path, uint64_t flags) {
  char text[kPathBytes];
  if (!is_special_path(call.arg[path], text) && !is_maps_in_folder(call, path, text)) return run_natively(call);
  if (const MapsFile maps = own_maps_file(text); maps != MapsFile::kNone) return open_own_maps(maps, flags);
  if (is_own_exe_link(text)) call.arg[path] = reinterpret_cast<uint64_t>(process().program_path);
  const CpuFile file = cpu_file(text);
  return file != CpuFile::kNone ? open_cpu_file(file, flags) : run_natively(call);
}

int64_t do_open(Call& call) { return open_path(call, 0, call.arg[1]); }
int64_t do_openat(Call& call) { return open_path(call, 1, call.arg[2]); }

int64_t do_openat2(Call& call) {
  struct {
    uint64_t flags, mode, resolve;
  } how;
  if (call.arg[3] != sizeof how) return run_natively(call);
  if (const int64_t error = read_program(how, call.arg[2]); error != 0) return error;
  call.arg[2] = reinterpret_cast<uint64_t>(&how);
  return open_path(call, 1, how.flags);
}

int64_t read_link(Call& call, unsigned path) {
  char text[kPathBytes];
  if (!is_special_path(call.arg[path], text) || !is_own_exe_link(text)) return run_natively(call);
  const int64_t capacity = static_cast<int32_t>(call.arg[path + 2]);
  if (capacity <= 0) return -EINVAL;
  const int64_t length = static_cast<int64_t>(strlen(process().program_path));
  const int64_t bytes = length < capacity ? length : capacity;
  const int64_t error = copy_to_program(call.arg[path + 1], process().program_path, static_cast<size_t>(bytes));
  return error != 0 ? error : bytes;
}

int64_t do_readlink(Call& call) { return read_link(call, 0); }
int64_t do_readlinkat(Call& call) { return read_link(call, 1); }

int64_t do_on_path(Call& call) {
  char storage[kPathBytes];
  translate_exe_link(call, 0, storage);
  return run_natively(call);
}

int64_t do_on_path_at(Call& call) {
  if (is_hidden(call.arg[0])) return -EBADF;
  char storage[kPathBytes];
  translate_exe_link(call, 1, storage);
  return run_natively(call);
}

// ---- Folders ----------------------------------------------------------------------------------------------------
struct FolderEntry {   // the kernel's struct linux_dirent64
  uint64_t inode;
  int64_t offset;
  uint16_t bytes;
  uint8_t type;
  char name[5];
};

// Moves what the program may see to the front; returns its bytes.
int64_t drop_hidden_entries(char* entries, int64_t bytes) {
  int64_t kept = 0;
  for (int64_t at = 0; at < bytes;) {
    const auto* entry = reinterpret_cast<const FolderEntry*>(entries + at);
    const uint16_t size = entry->bytes;
    const char* name = entry->name;
    const bool number = *name >= '0' && *name <= '9';
    if (!number || !is_hidden(parse_decimal(&name))) {
      memmove(entries + kept, entries + at, size);
      kept += size;
    }
    at += size;
  }
  return kept;
}

// The list of the process's own descriptors has none of ours.
int64_t do_getdents64(Call& call) {
  if (is_hidden(call.arg[0])) return -EBADF;
  if (!lists_own_descriptors(static_cast<int32_t>(call.arg[0]))) return run_natively(call);
  constexpr uint64_t kMost = 16384;
  alignas(8) char entries[kMost];
  const uint64_t room = call.arg[2] < kMost ? call.arg[2] : kMost;
  for (;;) {
    const int64_t bytes = sys(__NR_getdents64, static_cast<int32_t>(call.arg[0]), entries, room);
    if (bytes <= 0) return bytes;
    const int64_t kept = drop_hidden_entries(entries, bytes);
    if (kept == 0) continue;   // nothing would mean the end
    const int64_t error = copy_to_program(call.arg[1], entries, static_cast<size_t>(kept));
    return error != 0 ? error : kept;
  }
}

constexpr CallClass kDelegated = CallClass::kDelegated, kRefused = CallClass::kRefused;
constexpr CallRule kRules[] = {
    {__NR_open, kDelegated, kMayBlock, 0, do_open, nullptr},
    {__NR_openat, kDelegated, kMayBlock, 0, do_openat, nullptr},
    {__NR_openat2, kDelegated, kMayBlock, 0, do_openat2, nullptr},
    {__NR_readlink, kDelegated, 0, 0, do_readlink, nullptr},
    {__NR_readlinkat, kDelegated, 0, 0, do_readlinkat, nullptr},
    {__NR_stat, kDelegated, 0, 0, do_on_path, nullptr},
    {__NR_access, kDelegated, 0, 0, do_on_path, nullptr},
    {__NR_newfstatat, kDelegated, 0, 0, do_on_path_at, nullptr},
    {__NR_statx, kDelegated, 0, 0, do_on_path_at, nullptr},
    {__NR_faccessat, kDelegated, 0, 0, do_on_path_at, nullptr},
    {__NR_faccessat2, kDelegated, 0, 0, do_on_path_at, nullptr},

    {__NR_close, kDelegated, 0, 0, do_on_descriptor, nullptr},
    {__NR_close_range, kDelegated, 0, 0, do_close_range, nullptr},
    {__NR_dup, kDelegated, 0, 0, do_on_descriptor, nullptr},
    {__NR_dup2, kDelegated, 0, 0, do_dup_to, nullptr},
    {__NR_dup3, kDelegated, 0, 0, do_dup_to, nullptr},
    {__NR_fcntl, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_fstat, kDelegated, 0, 0, do_on_descriptor, nullptr},
    {__NR_ioctl, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_lseek, kDelegated, 0, 0, do_on_descriptor, nullptr},
    {__NR_getdents64, kDelegated, 0, 0, do_getdents64, nullptr},
    {__NR_ftruncate, kDelegated, 0, 0, do_ftruncate, nullptr},
    {__NR_fsync, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_fdatasync, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},

    {__NR_read, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_write, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_pread64, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_pwrite64, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_readv, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_writev, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_preadv, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_pwritev, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_preadv2, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_pwritev2, kDelegated, kMayBlock, 0, do_transfer, nullptr},
    {__NR_sendto, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_recvfrom, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_sendmsg, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_recvmsg, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_sendmmsg, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_recvmmsg, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_accept, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_accept4, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_connect, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_flock, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_splice, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},
    {__NR_sendfile, kDelegated, kMayBlock, 0, do_on_descriptor, nullptr},

    // Interrupted for good when a handler ran, whatever SA_RESTART says.
    {__NR_poll, kDelegated, kMayBlock, 0, nullptr, nullptr},
    {__NR_select, kDelegated, kMayBlock, 0, nullptr, nullptr},
    {__NR_epoll_wait, kDelegated, kMayBlock, 0, nullptr, nullptr},

    // They would read program memory behind the page tables' back, or from threads that nobody traps.
    {__NR_vmsplice, kRefused, 0, ENOSYS, nullptr, nullptr},
    {__NR_io_setup, kRefused, 0, ENOSYS, nullptr, nullptr},
    {__NR_io_uring_setup, kRefused, 0, ENOSYS, nullptr, nullptr},
    {__NR_io_uring_enter, kRefused, 0, ENOSYS, nullptr, nullptr},
    {__NR_io_uring_register, kRefused, 0, ENOSYS, nullptr, nullptr},
};

}  // namespace

CallRules file_call_rules() { return rules_of(kRules); }

}  // namespace dsm::runtime
