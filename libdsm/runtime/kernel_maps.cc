// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/kernel_maps.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/sys.h"

namespace dsm::runtime {
namespace {

// "start-end prot offset dev inode   name"
void parse_line(const char* line, KernelMapping& mapping) {
  mapping.start = parse_hex(&line);
  line++;
  mapping.end = parse_hex(&line);
  for (int field = 0; field < 4; field++) {
    while (*line == ' ') line++;
    while (*line != ' ' && *line != 0) line++;
  }
  while (*line == ' ') line++;
  TextBuffer(mapping.name, sizeof mapping.name).text(line);
}

}  // namespace

unsigned read_kernel_mappings(KernelMapping* mapping, unsigned capacity) {
  const int64_t fd = RT_MUST(sys(__NR_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC));
  char chunk[4096], line[512];
  size_t length = 0;
  unsigned count = 0;
  for (;;) {
    const int64_t got = sys(__NR_read, fd, chunk, sizeof chunk);
    if (got == -EINTR) continue;
    if (got <= 0) break;
    for (int64_t i = 0; i < got; i++) {
      if (chunk[i] != '\n') {
        if (length + 1 < sizeof line) line[length++] = chunk[i];
        continue;
      }
      line[length] = 0;
      length = 0;
      RT_CHECK(count < capacity);
      parse_line(line, mapping[count++]);
    }
  }
  sys(__NR_close, fd);
  return count;
}

}  // namespace dsm::runtime
