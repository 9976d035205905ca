// SPDX-License-Identifier: Apache-2.0
#include "libdsm/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace dsm {

void check_failed(const char* expression, const char* file, int line, const char* function) {
  std::fprintf(stderr, "dsm: bug: %s:%d: %s: invariant violated: %s\n", file, line, function, expression);
  std::abort();
}

}  // namespace dsm
