// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/vdso_digest.h"

#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {

// FNV-1a over 64-bit words: nobody forges a vdso, and it is a few pages.
uint64_t vdso_digest() {
  constexpr uint64_t kBasis = 0xcbf29ce484222325, kPrime = 0x100000001b3;
  const Process& self = process();
  if (self.vdso_address == 0) return 0;
  const auto* word = reinterpret_cast<const uint64_t*>(self.vdso_address);
  const auto* end = reinterpret_cast<const uint64_t*>(abi::kVdsoBase + self.vdso_bytes);
  uint64_t digest = kBasis;
  for (; word < end; word++) digest = (digest ^ *word) * kPrime;
  return digest;
}

}  // namespace dsm::runtime
