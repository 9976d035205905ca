// SPDX-License-Identifier: Apache-2.0
// The memory family. All of it belongs to the origin, which keeps the one address map (address_space.h).
#include <asm-generic/errno.h>
#include <linux/mman.h>

#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {
namespace {

// Where memory is populated it is touched by the thread itself, on its node. In a shadow nothing is touched: the vessel does.
void populate_mapping(const Call& call, int64_t address) {
  const uint64_t prot = call.arg[2], flags = call.arg[3];
  const bool wanted = (flags & MAP_LOCKED) != 0 || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
  if (wanted && !is_error(address) && prot != PROT_NONE)
    touch_pages(static_cast<uint64_t>(address), call.arg[1], (prot & PROT_WRITE) != 0 && (flags & MAP_TYPE) == MAP_PRIVATE);
}

bool is_populating(int64_t advice) { return advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE; }

void populate_advised(const Call& call, int64_t result) {
  const int64_t advice = static_cast<int32_t>(call.arg[2]);
  if (result == 0 && is_populating(advice)) touch_pages(call.arg[0], call.arg[1], advice == MADV_POPULATE_WRITE);
}

int64_t do_mmap(Call& call) {
  const int64_t address = process().memory.map(call.arg[0], call.arg[1], call.arg[2], call.arg[3],
                                               static_cast<int32_t>(call.arg[4]), call.arg[5]);
  if (call.user != nullptr) populate_mapping(call, address);
  return address;
}

int64_t mmap_in_vessel(Call& call) {
  const int64_t address = delegate(call);
  populate_mapping(call, address);
  return address;
}

int64_t do_munmap(Call& call) { return process().memory.unmap(call.arg[0], call.arg[1]); }

int64_t do_mprotect(Call& call) { return process().memory.protect(call.arg[0], call.arg[1], call.arg[2]); }

int64_t do_pkey_mprotect(Call& call) {
  if (static_cast<int32_t>(call.arg[3]) != -1) return -EINVAL;   // pkey_alloc is refused, so there is no other key
  return do_mprotect(call);
}

int64_t do_mremap(Call& call) {
  return process().memory.remap(call.arg[0], call.arg[1], call.arg[2], call.arg[3], call.arg[4]);
}

int64_t do_madvise(Call& call) {
  const int64_t result = process().memory.advise(call.arg[0], call.arg[1], static_cast<int32_t>(call.arg[2]));
  if (call.user != nullptr) populate_advised(call, result);
  return result;
}

int64_t madvise_in_vessel(Call& call) {
  const int64_t result = delegate(call);
  populate_advised(call, result);
  return result;
}

int64_t do_mincore(Call& call) { return process().memory.resident(call.arg[0], call.arg[1], call.arg[2]); }

int64_t do_brk(Call& call) { return process().memory.set_break_to(call.arg[0]); }

int64_t do_shmat(Call& call) { return process().memory.attach_segment(static_cast<int32_t>(call.arg[0]), call.arg[1], call.arg[2]); }

int64_t do_shmdt(Call& call) { return process().memory.detach_segment(call.arg[0]); }

int64_t do_mlock(Call& call) { return process().memory.lock_range(call.arg[0], call.arg[1]); }

int64_t do_mlock2(Call& call) {
  constexpr uint64_t kOnFault = 1;
  return (call.arg[2] & ~kOnFault) != 0 ? -EINVAL : do_mlock(call);
}

int64_t do_munlock(Call& call) { return process().memory.unlock_range(call.arg[0], call.arg[1]); }

int64_t do_mlockall(Call& call) { return process().memory.lock_all(static_cast<uint32_t>(call.arg[0])); }

int64_t do_munlockall(Call&) { return process().memory.unlock_all(); }

// A barrier for the threads of this node, then for those at the origin. Threads on two different nodes share no cached page
// without an invalidation between them, which is a barrier by itself.
int64_t membarrier_in_vessel(Call& call) {
  constexpr uint64_t kPrivateExpedited = 1 << 3, kPrivateSyncCore = 1 << 5, kPrivateRseq = 1 << 7;
  const uint64_t command = call.arg[0];
  if (command == kPrivateExpedited || command == kPrivateSyncCore || command == kPrivateRseq) {
    sys(__NR_membarrier, command << 1, 0, 0);   // this process has to be registered itself; doing it again is free
    sys(__NR_membarrier, command, call.arg[1], call.arg[2]);
  }
  return delegate(call);
}

constexpr CallClass kDelegated = CallClass::kDelegated, kRefused = CallClass::kRefused;
constexpr CallRule kRules[] = {
    {__NR_mmap, kDelegated, 0, 0, do_mmap, mmap_in_vessel},
    {__NR_munmap, kDelegated, 0, 0, do_munmap, nullptr},
    {__NR_mprotect, kDelegated, 0, 0, do_mprotect, nullptr},
    {__NR_pkey_mprotect, kDelegated, 0, 0, do_pkey_mprotect, nullptr},
    {__NR_mremap, kDelegated, 0, 0, do_mremap, nullptr},
    {__NR_madvise, kDelegated, 0, 0, do_madvise, madvise_in_vessel},
    {__NR_brk, kDelegated, 0, 0, do_brk, nullptr},
    {__NR_shmat, kDelegated, 0, 0, do_shmat, nullptr},
    {__NR_shmdt, kDelegated, 0, 0, do_shmdt, nullptr},
    {__NR_mlock, kDelegated, 0, 0, do_mlock, nullptr},
    {__NR_mlock2, kDelegated, 0, 0, do_mlock2, nullptr},
    {__NR_munlock, kDelegated, 0, 0, do_munlock, nullptr},
    {__NR_mlockall, kDelegated, 0, 0, do_mlockall, nullptr},
    {__NR_munlockall, kDelegated, 0, 0, do_munlockall, nullptr},
    {__NR_membarrier, kDelegated, 0, 0, nullptr, membarrier_in_vessel},
    {__NR_mincore, kDelegated, 0, 0, do_mincore, nullptr},
    {__NR_msync, kDelegated, kMayBlock, 0, nullptr, nullptr},
    {__NR_remap_file_pages, kRefused, 0, ENOSYS, nullptr, nullptr},
    {__NR_pkey_alloc, kRefused, 0, ENOSPC, nullptr, nullptr},
    {__NR_userfaultfd, kRefused, 0, ENOSYS, nullptr, nullptr},
    {__NR_process_madvise, kRefused, 0, ENOSYS, nullptr, nullptr},
    {447 /* memfd_secret */, kRefused, 0, ENOSYS, nullptr, nullptr},
    {453 /* map_shadow_stack */, kRefused, 0, ENOSYS, nullptr, nullptr},
    {462 /* mseal */, kRefused, 0, ENOSYS, nullptr, nullptr},
};

}  // namespace

CallRules memory_call_rules() { return rules_of(kRules); }

}  // namespace dsm::runtime
