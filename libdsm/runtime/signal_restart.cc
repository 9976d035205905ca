// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/signal_restart.h"

#include <asm/unistd.h>
#include <linux/futex.h>

namespace dsm::runtime {

bool is_always_restarted(const Call& call) {
  if (call.number != __NR_futex) return false;
  const uint64_t command = call.arg[1] & FUTEX_CMD_MASK;
  return command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2;
}

namespace {

constexpr uint64_t kWaitAll = 0x100;   // MSG_WAITALL

// Which argument counts the bytes, and which is the address of the next one; 0: none (the kernel keeps the offset, or the call
// is not one of these).
struct ByteArguments {
  uint8_t count, address;
};
ByteArguments byte_arguments(const Call& call) {
  switch (call.number) {
    case __NR_write:
    case __NR_sendto: return {2, 1};
    case __NR_recvfrom: return (call.arg[3] & kWaitAll) != 0 ? ByteArguments{2, 1} : ByteArguments{0, 0};
    case __NR_sendfile: return {3, 0};
    case __NR_splice: return {4, 0};
    default: return {0, 0};
  }
}

}  // namespace

uint64_t bytes_left(const Call& call, uint64_t done) {
  const ByteArguments bytes = byte_arguments(call);
  return bytes.count != 0 && call.arg[bytes.count] > done ? call.arg[bytes.count] - done : 0;
}

void skip_bytes(const Call& call, uint64_t done, uint64_t arg[6]) {
  const ByteArguments bytes = byte_arguments(call);
  arg[bytes.count] -= done;
  if (bytes.address != 0) arg[bytes.address] += done;
}

}  // namespace dsm::runtime
