// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/direct_io.h"

#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kBounceBytes = 1 << 20;
constexpr uint64_t kLeastBlock = 512;      // of any device: what is no multiple of it cannot go directly
constexpr uint64_t kMostVectors = 1024;    // UIO_MAXIOV
constexpr uint64_t kMostBytes = 0x7ffff000;   // of one call, as the kernel bounds it

struct Vector {
  uint64_t base, bytes;
};

// The forms of the call: its number, and how its arguments are laid out.
struct Form {
  int64_t number;
  bool writes, vectors, has_offset;
};
constexpr Form kForms[] = {
    {__NR_read, false, false, false},   {__NR_write, true, false, false},  {__NR_pread64, false, false, true},
    {__NR_pwrite64, true, false, true}, {__NR_readv, false, true, false},  {__NR_writev, true, true, false},
    {__NR_preadv, false, true, true},   {__NR_pwritev, true, true, true},  {__NR_preadv2, false, true, true},
    {__NR_pwritev2, true, true, true},
};

const Form* form_of(int64_t number) {
  for (const Form& form : kForms)
    if (form.number == number) return &form;
  return nullptr;
}

// Walks through the program's buffers as if they were one.
class Buffers {
 public:
  Buffers(const Vector* vector, uint64_t count) : vector_(vector), count_(count) {}
  uint64_t left() const {
    uint64_t bytes = 0;
    for (uint64_t i = at_; i < count_; i++) bytes += vector_[i].bytes;
    return bytes - inside_;
  }
  // The next `bytes`, into the program's memory or out of it. False: a bad address.
  bool copy(uint8_t* bounce, uint64_t bytes, bool to_program) {
    while (bytes > 0) {
      const Vector& now = vector_[at_];
      const uint64_t piece = now.bytes - inside_ < bytes ? now.bytes - inside_ : bytes;
      const uint64_t address = now.base + inside_;
      if ((to_program ? copy_to_program(address, bounce, piece) : copy_from_program(bounce, address, piece)) != 0) return false;
      bounce += piece;
      bytes -= piece;
      inside_ += piece;
      while (at_ < count_ && inside_ == vector_[at_].bytes) {
        at_++;
        inside_ = 0;
      }
    }
    return true;
  }

 private:
  const Vector* vector_;
  uint64_t count_, at_ = 0, inside_ = 0;
};

int64_t make_piece(const Call& call, const Form& form, void* bounce, uint64_t bytes, uint64_t done) {
  const bool at_position = !form.has_offset || static_cast<int64_t>(call.arg[3]) == -1;
  const uint64_t offset = at_position ? call.arg[3] : call.arg[3] + done;
  if (!form.vectors) return sys(call.number, call.arg[0], bounce, bytes, offset);
  const Vector one = {reinterpret_cast<uint64_t>(bounce), bytes};
  return sys(call.number, call.arg[0], &one, 1, offset, 0, call.arg[5]);
}

int64_t transfer(const Call& call, const Form& form, Buffers buffers, uint64_t misalignment) {
  uint64_t left = buffers.left();
  if (left > kMostBytes) left = kMostBytes;
  if (left == 0) return make_piece(call, form, nullptr, 0, 0);
  Arena& arena = process().arena;
  auto* const room = static_cast<uint8_t*>(arena.take(kBounceBytes + kLeastBlock));
  uint8_t* const bounce = room + misalignment;   // the kernel judges the alignment that the program chose
  uint64_t done = 0;
  int64_t result = 0;
  while (left > 0) {
    const uint64_t piece = left < kBounceBytes ? left : kBounceBytes;
    if (form.writes && !buffers.copy(bounce, piece, false)) result = -EFAULT;
    if (result == 0) result = make_piece(call, form, bounce, piece, done);
    if (result <= 0) break;
    const auto moved = static_cast<uint64_t>(result);
    result = 0;
    if (!form.writes && !buffers.copy(bounce, moved, true)) result = -EFAULT;
    if (result != 0) break;
    done += moved;
    left -= moved;
    if (moved < piece) break;
  }
  arena.give_back(room, kBounceBytes + kLeastBlock);
  return done > 0 ? static_cast<int64_t>(done) : result;
}

}  // namespace

bool is_direct_transfer(const Call& call) {
  const Form* form = form_of(call.number);
  if (form == nullptr || (!form->vectors && (call.arg[2] == 0 || call.arg[2] % kLeastBlock != 0))) return false;
  const int64_t mode = sys(__NR_fcntl, call.arg[0], F_GETFL);
  if (is_error(mode) || (mode & O_DIRECT) == 0) return false;
  struct stat status;
  return sys(__NR_fstat, call.arg[0], &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

int64_t direct_transfer(const Call& call) {
  const Form& form = *form_of(call.number);
  if (!form.vectors) {
    const Vector one = {call.arg[1], call.arg[2]};
    const bool is_program = is_program_range(one.base, one.bytes);   // else it came marshalled, and has no alignment
    return transfer(call, form, Buffers(&one, 1), is_program ? one.base % kLeastBlock : 0);
  }
  const uint64_t count = call.arg[2];
  if (count > kMostVectors) return -EINVAL;
  if (count == 0) return 0;
  Arena& arena = process().arena;
  auto* vector = static_cast<Vector*>(arena.take(count * sizeof(Vector)));
  int64_t result = copy_from_program(vector, call.arg[1], count * sizeof(Vector));
  for (uint64_t i = 0; i < count && result == 0; i++)
    if (static_cast<int64_t>(vector[i].bytes) < 0) result = -EINVAL;
  if (result == 0) result = transfer(call, form, Buffers(vector, count), vector[0].base % kLeastBlock);
  arena.give_back(vector, count * sizeof(Vector));
  return result;
}

}  // namespace dsm::runtime
