// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/refusals.h"

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

struct Feature {
  int64_t number;
  const char* name;
};
// Calls of one feature stand together.
constexpr Feature kFeatures[] = {
    {__NR_io_uring_setup, "io_uring"},
    {__NR_io_uring_enter, "io_uring"},
    {__NR_io_uring_register, "io_uring"},
    {__NR_io_setup, "Linux AIO (io_setup)"},
    {__NR_vmsplice, "vmsplice"},
    {__NR_userfaultfd, "userfaultfd"},
    {__NR_ptrace, "ptrace"},
    {__NR_seccomp, "seccomp filters"},
    {__NR_prctl, "seccomp filters"},
    {__NR_pkey_alloc, "memory protection keys"},
    {__NR_remap_file_pages, "remap_file_pages"},
    {__NR_process_madvise, "process_madvise"},
    {447, "memfd_secret"},
    {453, "shadow stacks"},
    {462, "mseal"},
    {__NR_mmap, "huge pages (MAP_HUGETLB)"},
};
constexpr unsigned kCount = sizeof kFeatures / sizeof *kFeatures;
static_assert(kCount <= 32);

}  // namespace

int64_t Refusals::refuse(int64_t number, int64_t error) {
  if (process().welcome.verbose == 0) return -error;
  for (unsigned i = 0; i < kCount; i++) {
    if (kFeatures[i].number != number) continue;
    unsigned first = i;
    while (first > 0 && equal(kFeatures[first - 1].name, kFeatures[i].name)) first--;
    if ((__atomic_fetch_or(&named_, 1u << first, __ATOMIC_RELAXED) & (1u << first)) == 0)
      log("%s is not available to a distributed process: the program is told so (error %d) and may do without",
          kFeatures[i].name, error);
    break;
  }
  return -error;
}

}  // namespace dsm::runtime
