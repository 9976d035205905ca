// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/file_references.h"

#include <asm/stat.h>

#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {

FileReference* FileReferences::find(uint64_t device, uint64_t inode) const {
  for (FileReference* file = first_; file != nullptr; file = file->next)
    if (file->device == device && file->inode == inode) return file;
  return nullptr;
}

FileReference* FileReferences::acquire(int64_t fd, int64_t* error) {
  struct stat status;
  if (const int64_t result = sys(__NR_fstat, fd, &status); is_error(result)) {
    *error = result;
    return nullptr;
  }
  if (FileReference* file = find(status.st_dev, status.st_ino)) {
    file->count++;
    return file;
  }
  const int64_t kept = process().private_fds.duplicate(static_cast<int>(fd));
  if (is_error(kept)) {
    *error = kept;
    return nullptr;
  }
  FileReference* file = slab_.take(process().arena);
  *file = {status.st_dev, status.st_ino, 1, static_cast<int32_t>(kept), first_};
  first_ = file;
  return file;
}

void FileReferences::release(FileReference* file) {
  if (file == nullptr || --file->count > 0) return;
  FileReference** link = &first_;
  while (*link != file) link = &(*link)->next;
  *link = file->next;
  process().private_fds.close(file->fd);
  slab_.give_back(file);
}

}  // namespace dsm::runtime
