// SPDX-License-Identifier: Apache-2.0
// DSM_CHECK: an invariant of ours. Stays on in release builds; a violation is our bug and stops the process, since a
// wrong answer is worse than a stop.
#pragma once

namespace dsm {
[[noreturn]] void check_failed(const char* expression, const char* file, int line, const char* function);
}

#define DSM_CHECK(expression) \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? void(0)                                      \
       : ::dsm::check_failed(#expression, __FILE__, __LINE__, __func__))
