// SPDX-License-Identifier: Apache-2.0
// The first instructions of the process, and the command line:
//   dsm-runtime app FD PROGRAM ARGV0 ARGV1...    the application, started by the launcher
//   dsm-runtime exec FD PROGRAM ARGV0 ARGV1...   the same process again after an execve of the program (execute.cc)
//   dsm-runtime child SPEC PROGRAM ARGV0 ...     a child of the program that is watched (lone_exec.cc)
//   dsm-runtime restore FD IMAGE                 the application again, from a process image (image_restore.h)
//   dsm-runtime resume FD IMAGE                  the same under the launcher of old, where files that are its stdin, stdout or stderr are
//                                                set back to what they were
//   dsm-runtime vessel FD                        a vessel, started by its agent
// FD is the control socket; "FD,L" and "FD,L,1": L is the launcher's, where children ask for agents, 1 says that this process was
// a child itself. "exec-held", "child-held": the program's path names a descriptor that ends with the execve. Context: the only thread; on the kernel's stack only until its block exists.
#include "libdsm/runtime/application.h"
#include "libdsm/runtime/image_restore.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

asm(R"(
    .text
    .globl _start
    .type _start, @function
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    call dsm_start
    hlt
)");

namespace dsm::runtime {
namespace {

constexpr int kExitUsage = 2;

void choose_role(void* stack) {
  const auto* word = static_cast<const uint64_t*>(stack);
  const uint64_t argc = word[0];
  const auto* argv = reinterpret_cast<const char* const*>(word + 1);
  const char* role = argc > 2 ? argv[1] : "";
  const char* digits = argc > 2 ? argv[2] : "";
  const int fd = static_cast<int>(parse_decimal(&digits));
  Process& self = process();
  if (argc == 3 && equal(role, "vessel")) {
    self.role = Role::kVessel;
    self.private_fds.initialise();
    self.control.open(to_private_fd(fd));
    vessel_main();
  }
  const bool resumes = equal(role, "resume");
  if (argc == 4 && (resumes || equal(role, "restore"))) {
    self.role = Role::kApplication;
    self.remote.resumes_output = resumes;
    const char* image = argv[3];
    restore_main(argv[2], static_cast<int>(parse_decimal(&image)));
  }
  const bool is_child = starts_with(role, "child"), again = starts_with(role, "exec");
  const bool held = equal(role, "exec-held") || equal(role, "child-held");
  if (argc >= 5 && (held || equal(role, "exec") || equal(role, "app") || equal(role, "child"))) {
    self.role = Role::kApplication;
    application_main({word, argv[2], is_child, again, held});
  }
  log("started by dsm-launch and dsmd, not by hand: app FD PROGRAM ARGV... | restore FD IMAGE | vessel FD");
  detail::die(kExitUsage);
}

}  // namespace

extern "C" __attribute__((used)) void dsm_start(uint64_t* stack) {
  Process& self = process();
  self.pid = static_cast<int32_t>(sys(__NR_getpid));
  self.calls.initialise();
  Thread* main = self.threads.take();
  if (main == nullptr) fail("no memory for the first thread's block");
  main->tid = self.pid;
  // The kernel clears it when the thread is gone, as for every other block.
  main->kernel_tid = static_cast<int32_t>(sys(__NR_set_tid_address, &main->kernel_tid));
  dsm_call_on_stack(choose_role, stack, main->stack_top());
}

}  // namespace dsm::runtime
