// SPDX-License-Identifier: Apache-2.0
// Between the files that restore descriptors.
#pragma once
#include "libdsm/runtime/image_restore.h"

namespace dsm::runtime {

// Makes the open files of an image anew, in their order. What cannot be made ends the process with a line that names it.
class FileMaker {
 public:
  explicit FileMaker(const image::View& view) : view_(view) {}

  // A descriptor of the file, with its flags, offset and content.
  int make(uint32_t index);
  int standard[3] = {-1, -1, -1};   // the launcher's stdin, stdout, stderr under numbers of our own; negative: closed

 private:
  int by_path(const image::OpenFile& file, uint64_t flags) const;
  int launchers(const image::OpenFile& file) const;
  int terminal(const image::OpenFile& file) const;
  int memory(const image::OpenFile& file) const;
  int pipe(uint32_t index) const;
  int64_t number_of(uint32_t file) const;
  int event(const image::OpenFile& file) const;
  int timer(const image::OpenFile& file) const;
  int signal(const image::OpenFile& file) const;
  int epoll() const;
  int socket(const image::OpenFile& file) const;
  int dead_end() const;

  const image::View& view_;
};

}  // namespace dsm::runtime
