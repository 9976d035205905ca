// SPDX-License-Identifier: Apache-2.0
// Open files behind private mappings, one descriptor each however often a file is mapped: MADV_DONTNEED, a later
// PROT_WRITE and mremap have to read the content again long after the program has closed its own descriptor.
// Not thread-safe: guarded by the lock of the address space.
//
// Side effect to know: closing the last of these descriptors drops POSIX record locks that the program holds on the file,
// as every close of any descriptor of that file does.
#pragma once
#include "libdsm/runtime/arena.h"

namespace dsm::runtime {

struct FileReference {
  uint64_t device, inode;
  uint32_t count;
  int32_t fd;
  FileReference* next;
};

class FileReferences {
 public:
  // One reference to the file behind `fd`, or nullptr with -errno in *error.
  FileReference* acquire(int64_t fd, int64_t* error);
  // The one for this file, or nullptr; the count stays.
  FileReference* find(uint64_t device, uint64_t inode) const;
  void retain(FileReference* file) {
    if (file != nullptr) file->count++;
  }
  void release(FileReference* file);
  // In a forked child: the descriptors are closed already.
  void forget() {
    first_ = nullptr;
    slab_.reset_after_fork();
  }

 private:
  FileReference* first_ = nullptr;
  Slab<FileReference> slab_;
};

}  // namespace dsm::runtime
