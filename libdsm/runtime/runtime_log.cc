// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/runtime_log.h"

#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/sys.h"

namespace dsm::runtime::detail {

void log_line(const char* format, const LogArgument* argument, unsigned count) {
  char line[512];
  TextBuffer out(line, sizeof line - 1);
  out.text("dsm-runtime: ");
  unsigned next = 0;
  for (const char* f = format; *f != 0; f++) {
    if (*f != '%' || f[1] == 0) {
      out.bytes(f, 1);
      continue;
    }
    const char kind = *++f;
    if (kind == '%') {
      out.bytes("%", 1);
    } else if (next < count) {
      const LogArgument& value = argument[next++];
      if (kind == 's') out.text(value.text != nullptr ? value.text : "(null)");
      if (kind == 'd') out.decimal(value.number);
      if (kind == 'x') out.hex(static_cast<uint64_t>(value.number));
    }
  }
  size_t size = out.size();
  line[size++] = '\n';
  sys(__NR_write, 2, line, size);
}

void die(int status) {
  for (;;) sys(__NR_exit_group, status);
}

}  // namespace dsm::runtime::detail
