// SPDX-License-Identifier: Apache-2.0
// What the application and a vessel do alike when they start: descriptors, an empty address space, the greeting.
//
// Context: the only thread of the process, on the stack of its block, before any trap is on.
#include <linux/memfd.h>
#include <linux/mman.h>

#include "libdsm/runtime/kernel_maps.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/userfault.h"

namespace dsm::runtime {

void open_memory_and_board() {
  Process& self = process();
  self.userfault_fd = to_private_fd(open_userfault());
  self.memory_fd = to_private_fd(open_memory_file());
  const int64_t board = RT_MUST(sys(__NR_memfd_create, "dsm-threads", MFD_CLOEXEC));
  RT_MUST(sys(__NR_ftruncate, board, sizeof(abi::Board)));
  self.board_fd = to_private_fd(static_cast<int>(board));
  const uint64_t place = self.arena.take_addresses(sizeof(abi::Board));
  RT_MUST(sys(__NR_mmap, place, sizeof(abi::Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, self.board_fd, 0));
  self.board = reinterpret_cast<abi::Board*>(place);
  self.board->version = abi::kVersion;
  for (uint32_t i = 0; i < self.threads.high_water(); i++) ThreadPool::at(i).board = &self.board->slot[i];
}

void clear_address_space() {
  Process& self = process();
  constexpr uint64_t kBytes = kMaxKernelMappings * sizeof(KernelMapping);
  auto* mapping = static_cast<KernelMapping*>(self.arena.take(kBytes));
  const unsigned count = read_kernel_mappings(mapping, kMaxKernelMappings);

  // [vvar], [vvar_vclock], [vdso] are separate mappings that reach each other by distance: keep it.
  uint64_t first = 0, end = 0;
  for (unsigned i = 0; i < count; i++) {
    if (!starts_with(mapping[i].name, "[vvar") && !equal(mapping[i].name, "[vdso]")) continue;
    if (first == 0) first = mapping[i].start;
    end = mapping[i].end;
    const uint64_t bytes = mapping[i].end - mapping[i].start, target = abi::kVdsoBase + (mapping[i].start - first);
    RT_MUST(sys(__NR_mremap, mapping[i].start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target));
    if (equal(mapping[i].name, "[vdso]")) self.vdso_address = target;
    mapping[i].start = mapping[i].end = 0;
  }
  self.vdso_bytes = end - first;
  RT_CHECK(abi::kVdsoBase + self.vdso_bytes <= abi::kRuntimeEnd);

  for (unsigned i = 0; i < count; i++) {
    const KernelMapping& old = mapping[i];
    if (old.start == old.end || in_runtime_range(old.start) || old.start >= abi::kUserEnd) continue;
    RT_MUST(sys(__NR_munmap, old.start, old.end - old.start));
  }
  self.arena.give_back(mapping, kBytes);
}

void take_virtual_cpus() {
  Process& self = process();
  for (uint32_t cpu = 0; cpu < self.welcome.total_cpus && cpu < sizeof(CpuSet) * 8; cpu++)
    self.threads.default_affinity.word[cpu / 64] |= 1ull << (cpu % 64);
  current_thread().affinity = self.threads.default_affinity;
}

void send_hello() {
  Process& self = process();
  abi::Packet packet = {};
  packet.op = abi::Op::kHello;
  packet.hello = {abi::kVersion, static_cast<int32_t>(sys(__NR_getpid)), self.vdso_bytes};
  const int fds[] = {self.userfault_fd, self.memory_fd, self.board_fd};
  self.control.send(packet, fds, 3);
}

void receive_welcome() {
  Process& self = process();
  abi::Packet packet = {};
  self.control.receive(packet, nullptr);
  if (packet.op != abi::Op::kWelcome) fail("BUG: the agent answered the greeting with packet %d", packet.op);
  self.welcome = packet.welcome;
  if (self.welcome.version != abi::kVersion)
    fail("the agent speaks version %d of the runtime interface, this runtime version %d: mixed installations", self.welcome.version,
         abi::kVersion);
  take_virtual_cpus();
  self.pid = self.welcome.app_pid != 0 ? self.welcome.app_pid : static_cast<int32_t>(sys(__NR_getpid));
}

void greet_agent() {
  send_hello();
  receive_welcome();
}

namespace {
constexpr int kSetSyscallUserDispatch = 59;   // PR_SET_SYSCALL_USER_DISPATCH, since 5.11
}

void trap_on() {
  const uint64_t bytes = static_cast<uint64_t>(etext - __executable_start);
  const int64_t error = sys(__NR_prctl, kSetSyscallUserDispatch, 1, __executable_start, bytes, nullptr);
  if (is_error(error))
    fail("needed: Syscall User Dispatch (Linux 5.11 or later, CONFIG_GENERIC_ENTRY). Found: prctl says error %d", -error);
}

void trap_off() { RT_MUST(sys(__NR_prctl, kSetSyscallUserDispatch, 0, 0, 0, 0)); }

}  // namespace dsm::runtime
