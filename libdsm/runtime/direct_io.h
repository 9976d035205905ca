// SPDX-License-Identifier: Apache-2.0
// O_DIRECT. The kernel would hand the program's own pages to a device, behind the page tables' back, while another node takes them
// away: so the transfer goes through memory of the runtime. Everything else about the descriptor is native.
// Context: handler at the origin.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

// Is this read or write (any of their forms) one that the kernel would make directly?
bool is_direct_transfer(const Call& call);
// Makes it, in pieces. Returns what the call returns.
int64_t direct_transfer(const Call& call);

}  // namespace dsm::runtime
