// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/cpu_features.h"

#include <cpuid.h>

namespace dsm::os {
namespace {

enum Register : uint8_t { kEax, kEbx, kEcx, kEdx };

constexpr uint64_t kAvxState = 0x6, kAvx512State = 0xe6, kAmxState = 0x60000;

struct Feature {
  uint32_t leaf, subleaf;
  Register where;
  uint8_t bit;
  const char* name;
  uint64_t needs_saved = 0;
};

// Bits of the Intel manual, volume 2, CPUID; and of AMD's, volume 3, appendix E.
constexpr Feature kFeatures[] = {
    {1, 0, kEcx, 0, "pni"}, {1, 0, kEcx, 1, "pclmulqdq"}, {1, 0, kEcx, 9, "ssse3"}, {1, 0, kEcx, 12, "fma", kAvxState},
    {1, 0, kEcx, 13, "cx16"}, {1, 0, kEcx, 19, "sse4_1"}, {1, 0, kEcx, 20, "sse4_2"}, {1, 0, kEcx, 22, "movbe"},
    {1, 0, kEcx, 23, "popcnt"}, {1, 0, kEcx, 25, "aes"}, {1, 0, kEcx, 27, "xsave"}, {1, 0, kEcx, 28, "avx", kAvxState},
    {1, 0, kEcx, 29, "f16c", kAvxState}, {1, 0, kEcx, 30, "rdrand"},
    {7, 0, kEbx, 0, "fsgsbase"}, {7, 0, kEbx, 3, "bmi1"}, {7, 0, kEbx, 4, "hle"}, {7, 0, kEbx, 5, "avx2", kAvxState},
    {7, 0, kEbx, 8, "bmi2"}, {7, 0, kEbx, 9, "erms"}, {7, 0, kEbx, 11, "rtm"}, {7, 0, kEbx, 16, "avx512f", kAvx512State},
    {7, 0, kEbx, 17, "avx512dq", kAvx512State}, {7, 0, kEbx, 18, "rdseed"}, {7, 0, kEbx, 19, "adx"},
    {7, 0, kEbx, 21, "avx512ifma", kAvx512State}, {7, 0, kEbx, 23, "clflushopt"}, {7, 0, kEbx, 24, "clwb"},
    {7, 0, kEbx, 28, "avx512cd", kAvx512State}, {7, 0, kEbx, 29, "sha_ni"}, {7, 0, kEbx, 30, "avx512bw", kAvx512State},
    {7, 0, kEbx, 31, "avx512vl", kAvx512State},
    {7, 0, kEcx, 1, "avx512vbmi", kAvx512State}, {7, 0, kEcx, 4, "ospke"}, {7, 0, kEcx, 5, "waitpkg"},
    {7, 0, kEcx, 6, "avx512_vbmi2", kAvx512State}, {7, 0, kEcx, 8, "gfni"}, {7, 0, kEcx, 9, "vaes", kAvxState},
    {7, 0, kEcx, 10, "vpclmulqdq", kAvxState}, {7, 0, kEcx, 11, "avx512_vnni", kAvx512State},
    {7, 0, kEcx, 12, "avx512_bitalg", kAvx512State}, {7, 0, kEcx, 14, "avx512_vpopcntdq", kAvx512State},
    {7, 0, kEcx, 22, "rdpid"}, {7, 0, kEcx, 25, "cldemote"}, {7, 0, kEcx, 27, "movdiri"}, {7, 0, kEcx, 28, "movdir64b"},
    {7, 0, kEdx, 8, "avx512_vp2intersect", kAvx512State}, {7, 0, kEdx, 14, "serialize"}, {7, 0, kEdx, 22, "amx_bf16", kAmxState},
    {7, 0, kEdx, 23, "avx512_fp16", kAvx512State}, {7, 0, kEdx, 24, "amx_tile", kAmxState}, {7, 0, kEdx, 25, "amx_int8", kAmxState},
    {7, 1, kEax, 4, "avx_vnni", kAvxState}, {7, 1, kEax, 5, "avx512_bf16", kAvx512State}, {7, 1, kEax, 23, "avx_ifma", kAvxState},
    {7, 1, kEdx, 4, "avx_vnni_int8", kAvxState}, {7, 1, kEdx, 5, "avx_ne_convert", kAvxState},
    {0xd, 1, kEax, 0, "xsaveopt"}, {0xd, 1, kEax, 1, "xsavec"},
    {0x80000001, 0, kEcx, 0, "lahf_lm"}, {0x80000001, 0, kEcx, 5, "abm"}, {0x80000001, 0, kEcx, 6, "sse4a"},
    {0x80000001, 0, kEcx, 8, "3dnowprefetch"}, {0x80000001, 0, kEcx, 11, "xop", kAvxState}, {0x80000001, 0, kEcx, 16, "fma4", kAvxState},
    {0x80000001, 0, kEcx, 21, "tbm"}, {0x80000001, 0, kEcx, 29, "mwaitx"}, {0x80000001, 0, kEdx, 27, "rdtscp"},
    {0x80000008, 0, kEbx, 0, "clzero"},
};

}  // namespace

uint64_t saved_registers() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

std::vector<std::string> cpu_features() {
  const uint64_t saved = saved_registers();
  std::vector<std::string> names;
  for (const Feature& feature : kFeatures) {
    unsigned word[4] = {};
    if (!__get_cpuid_count(feature.leaf, feature.subleaf, &word[kEax], &word[kEbx], &word[kEcx], &word[kEdx])) continue;
    if ((word[feature.where] >> feature.bit & 1) && (saved & feature.needs_saved) == feature.needs_saved) names.emplace_back(feature.name);
  }
  return names;
}

}  // namespace dsm::os
