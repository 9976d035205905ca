// SPDX-License-Identifier: Apache-2.0
// Program memory, read and written by the runtime. A bad address gives -EFAULT as from the kernel, a page that lives on
// another node is fetched. Trap handler and shadow context; never an asynchronous signal handler.
#pragma once
#include <asm-generic/errno.h>

#include "libdsm/runtime/abi.h"
#include "libdsm/runtime/sys.h"
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

// The part of the address space that a program may name.
inline bool is_program_range(uint64_t start, uint64_t bytes) {
  const uint64_t end = start + bytes;
  return end >= start && end <= abi::kUserEnd && (end <= abi::kRuntimeBegin || start >= abi::kRuntimeEnd);
}

// A shadow passes arguments that came marshalled from its own block (thread.h), so the block counts as well.
inline bool is_argument_range(uint64_t start, uint64_t bytes) {
  if (is_program_range(start, bytes)) return true;
  const uint64_t block = reinterpret_cast<uint64_t>(&current_thread());
  return start >= block && bytes <= kThreadBytes && start + bytes <= block + kThreadBytes;
}

inline int64_t copy_from_program(void* to, uint64_t from, size_t bytes) {
  if (!is_argument_range(from, bytes)) return -EFAULT;
  return dsm_user_copy(to, reinterpret_cast<const void*>(from), bytes) == 0 ? 0 : -EFAULT;
}

inline int64_t copy_to_program(uint64_t to, const void* from, size_t bytes) {
  if (!is_argument_range(to, bytes)) return -EFAULT;
  return dsm_user_copy(reinterpret_cast<void*>(to), from, bytes) == 0 ? 0 : -EFAULT;
}

template <typename T>
int64_t read_program(T& to, uint64_t from) {
  return copy_from_program(&to, from, sizeof to);
}

template <typename T>
int64_t write_program(uint64_t to, const T& from) {
  return copy_to_program(to, &from, sizeof from);
}

// The string's length without its end, or -EFAULT, or -ENAMETOOLONG when `capacity` (with the end) does not hold it.
int64_t copy_string_from_program(char* to, uint64_t from, size_t capacity);

}  // namespace dsm::runtime
