// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/signal_restart.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/futex.h>

namespace dsm::runtime {
namespace {

// Not here: poll, select, epoll, sigsuspend, sigtimedwait, nanosleep, semop, msgrcv: EINTR whatever the flags say (signal(7)).
constexpr uint16_t kRestarted[] = {
    __NR_read,     __NR_write,    __NR_readv,      __NR_writev,   __NR_pread64,     __NR_pwrite64, __NR_preadv,
    __NR_pwritev,  __NR_preadv2,  __NR_pwritev2,   __NR_ioctl,    __NR_open,        __NR_openat,   __NR_openat2,
    __NR_creat,    __NR_wait4,    __NR_waitid,     __NR_accept,   __NR_accept4,     __NR_connect,  __NR_recvfrom,
    __NR_recvmsg,  __NR_sendto,   __NR_sendmsg,    __NR_sendmmsg, __NR_flock,       __NR_fsync,    __NR_fdatasync,
    __NR_splice,   __NR_tee,      __NR_sendfile,   __NR_copy_file_range, __NR_getrandom, __NR_mq_timedsend,
    __NR_mq_timedreceive, __NR_clone, __NR_clone3, __NR_fork,     __NR_vfork,       __NR_fallocate, __NR_close,
};

// A wait without a time limit is restarted; one with a limit is not.
bool restarts_futex(const uint64_t arg[6]) {
  const uint64_t command = arg[1] & FUTEX_CMD_MASK;
  if (command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2) return true;
  return arg[3] == 0;
}

}  // namespace

bool restarts_after_handler(const ThreadSignals& signals) {
  if (signals.restart_number < 0) return false;
  if (signals.restart_number == __NR_futex) return restarts_futex(signals.restart_arg);
  if (signals.restart_number == __NR_fcntl) return signals.restart_arg[1] == F_SETLKW;
  for (const uint16_t number : kRestarted)
    if (number == signals.restart_number) return true;
  return false;
}

}  // namespace dsm::runtime
