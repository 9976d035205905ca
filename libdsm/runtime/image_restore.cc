// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/image_restore.h"

#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/stat.h>

#include "libdsm/runtime/application.h"
#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/vdso_digest.h"

namespace dsm::runtime {
namespace {

constexpr int kNofile = 7;

// The image in the arena: the file may still be written to by whoever has it, and what was checked must not change.
image::View take_image(int fd) {
  Process& self = process();
  struct stat status;
  RT_MUST(sys(__NR_fstat, fd, &status));
  const auto bytes = static_cast<uint64_t>(status.st_size);
  if (bytes == 0 || bytes > image::kMostBytes) fail("this is no process image: it has %d bytes", bytes);
  auto* const data = static_cast<uint8_t*>(self.arena.take(bytes));
  for (uint64_t done = 0; done < bytes;) {
    const int64_t got = sys(__NR_pread64, fd, data + done, bytes - done, done);
    if (got == -EINTR) continue;
    if (got <= 0) fail("cannot read the process image (error %d)", -got);
    done += static_cast<uint64_t>(got);
  }
  self.private_fds.close(fd);
  image::View view;
  const char* const bad = image::check_process_image(data, bytes, &view);
  if (bad != nullptr) fail("the process image is damaged: %s", bad);
  return view;
}

void check_surroundings(const image::View& view) {
  const image::Process& wanted = *view.process;
  Process& self = process();
  const int64_t pid = sys(__NR_getpid);
  if (pid != wanted.pid) fail("BUG: the restored process has pid %d, its image needs %d", pid, wanted.pid);
  if (wanted.vdso_address == 0) return;
  if (wanted.vdso_address == self.vdso_address && wanted.vdso_bytes == self.vdso_bytes && wanted.vdso_digest == vdso_digest()) return;
  fail("the program was started under another build of the kernel and uses its vdso. Restart it under that kernel, or start it with "
       "--clock origin, which does without");
}

void restore_layout(const image::View& view) {
  const image::Process& p = *view.process;
  Process& self = process();
  self.memory.initialise(self.arena, abi::kUserEnd);
  self.memory.restore_layout(p.map_top, p.break_start, p.break_now, p.lock_future != 0);
}

void restore_actions(const image::View& view) {
  for (int signal = 1; signal <= kSignals; signal++) {
    if (signal == kSigKill || signal == kSigStop) continue;
    const int64_t error = process().remote.signals.exchange(signal, &view.actions[static_cast<uint64_t>(signal) - 1].action, nullptr);
    if (error != 0) fail("cannot restore the action of signal %d (error %d)", signal, -error);
  }
}

// What /proc/self shows, where the kernel lets a process say so: cosmetic.
void restore_proc_view(const image::View& view) {
  const image::Process& p = *view.process;
  prctl_mm_map map = {};
  map.start_code = p.code_start;
  map.end_code = p.code_end;
  map.start_data = p.data_start;
  map.end_data = p.data_end;
  map.start_brk = map.brk = p.break_start;
  map.start_stack = p.stack_start;
  map.arg_start = reinterpret_cast<uint64_t>(view.data(p.arguments));
  map.arg_end = map.arg_start + p.arguments.bytes;
  map.env_start = reinterpret_cast<uint64_t>(view.data(p.environment));
  map.env_end = map.env_start + p.environment.bytes;
  map.auxv = const_cast<__u64*>(reinterpret_cast<const __u64*>(view.data(p.auxiliary)));
  map.auxv_size = p.auxiliary.bytes;
  map.exe_fd = ~0u;
  sys(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

void restore_attributes(const image::View& view) {
  const image::Process& p = *view.process;
  Process& self = process();
  const char* const folder = view.text(p.folder);
  if (const int64_t error = sys(__NR_chdir, folder); error != 0)
    fail("the program's current directory %s cannot be entered (error %d)", folder, -error);
  sys(__NR_umask, p.umask);
  sys(__NR_personality, p.personality);
  memcpy(self.program_path, view.text(p.program_path), p.program_path.bytes + 1);
  const int64_t length = sys(__NR_readlinkat, AT_FDCWD, "/proc/self/exe", self.runtime_path, sizeof self.runtime_path - 1);
  self.runtime_path[length > 0 ? length : 0] = 0;
  self.board->threads_ever = p.threads_ever;
  self.board->remote_threads_ever = p.remote_threads_ever;
  self.remote.threads_placed = p.threads_placed;
  if (p.child_subreaper != 0) sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  restore_proc_view(view);
}

// After the files: they may need more. A hard limit that was lowered since cannot be raised again; the program finds what there is.
void restore_limits(const image::View& view) {
  for (uint64_t i = 0; i < view.limits.count; i++) {
    const int which = static_cast<int>(i);
    const ResourceLimit now = resource_limit(which);
    ResourceLimit wanted = {view.limits[i].soft, view.limits[i].hard};
    if (i == kNofile) {
      process().file_limit_hard = view.process->file_limit_hard;
      wanted.hard = now.hard;   // the runtime's own descriptors lie above the program's limit
    }
    if (set_resource_limit(which, wanted) == 0) continue;
    wanted.hard = wanted.hard < now.hard ? wanted.hard : now.hard;
    wanted.soft = wanted.soft < wanted.hard ? wanted.soft : wanted.hard;
    set_resource_limit(which, wanted);
  }
}

void name_losses(const image::View& view) {
  for (const image::Lost& lost : view.lost) {
    const char* const what = view.text(lost.what);
    switch (lost.kind) {
      case image::LostKind::kDescriptor: log("not restored: descriptor %d (%s): its other end looks closed", lost.number, what); break;
      case image::LostKind::kMemory: log("not restored: memory at %x (%s)", lost.address, what); break;
      default: log("not restored: %s", what); break;
    }
  }
}

void privileges_last(const image::View& view) {
  sys(__NR_prctl, PR_SET_DUMPABLE, view.process->dumpable == 1 ? 1 : 0, 0, 0, 0);
  if (view.process->no_new_privileges != 0) sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

}  // namespace

int open_again(const char* path, uint64_t flags, const char* what_for) {
  const int64_t fd = sys(__NR_openat, AT_FDCWD, path, flags | O_NOCTTY, 0);
  if (is_error(fd)) fail("%s, %s of the program, cannot be opened again (error %d)", path, what_for, -fd);
  return static_cast<int>(fd);
}

void restore_main(const char* descriptors, int image_fd) {
  Process& self = process();
  self.private_fds.initialise();
  take_descriptors(descriptors);
  const image::View view = take_image(to_private_fd(image_fd));
  clear_address_space();
  check_surroundings(view);
  greet_as_origin();
  signal_install();
  block_all_signals();   // until each thread goes on with its own mask
  restore_layout(view);
  restore_memory(view);
  restore_actions(view);
  restore_attributes(view);
  restore_files(view);
  restore_limits(view);
  name_losses(view);
  privileges_last(view);
  restore_threads(view);
}

}  // namespace dsm::runtime
