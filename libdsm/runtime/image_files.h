// SPDX-License-Identifier: Apache-2.0
// Between the files of the image's writer: image_files.cc goes through the descriptors, image_special_files.cc knows the kinds
// that are no files by name.
#pragma once
#include <asm/stat.h>
#include <linux/stat.h>

#include "libdsm/runtime/image_writer.h"

namespace dsm::runtime {

// A descriptor of the program, as the kernel describes it.
struct SeenDescriptor {
  int fd;
  const char* name;      // /proc/self/fd's link
  const char* details;   // fdinfo
  struct stat status;
};

// Completes `out` for an anonymous inode, pipe or socket. False: it cannot be brought back.
bool describe_special(const SeenDescriptor& seen, image::OpenFile& out, ImageBuilder& builder);
// The sets of descriptors that `seen`, an epoll set, watches. Descriptors that are not the program's any more are lost by name.
void add_watches(const SeenDescriptor& seen, uint32_t file, ImageBuilder& builder);
// The locks that the process holds by `seen` or, all descriptors alike, on its file.
void add_locks(const SeenDescriptor& seen, uint32_t file, ImageBuilder& builder);
// The bytes that wait in the pipe whose read end is `fd`; they stay there.
bool copy_pipe(int fd, image::Span* content, ImageBuilder& builder);

// At the start of a process image of the application: remembers what the launcher's descriptors are (after an execve the program's own
// may be others by now).
void note_standard_files();

}  // namespace dsm::runtime
