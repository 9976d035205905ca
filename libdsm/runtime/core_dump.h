// SPDX-License-Identifier: Apache-2.0
// The process is about to die with a core dump: what other nodes hold of its memory comes here first, so that the kernel
// finds it all. Bounded in time; without a dump to be written it does nothing.
//
// Context: at the origin, a thread that will make the process die next and holds no lock of the runtime.
#pragma once
#include "libdsm/runtime/signals.h"

namespace dsm::runtime {

// Whose default action dumps core.
inline constexpr uint64_t kCoreSignals = signal_bit(3 /*QUIT*/) | signal_bit(kSigIll) | signal_bit(kSigTrap) | signal_bit(kSigAbrt) |
                                         signal_bit(kSigBus) | signal_bit(kSigFpe) | signal_bit(kSigSegv) |
                                         signal_bit(24 /*XCPU*/) | signal_bit(25 /*XFSZ*/) | signal_bit(kSigSys);
constexpr bool dumps_core(int signal) { return (kCoreSignals & signal_bit(signal)) != 0; }

void gather_memory_for_core();

}  // namespace dsm::runtime
