// SPDX-License-Identifier: Apache-2.0
// What a worker asks its shadow for (delegate() itself is declared in dispatch.h), and the packing of threads into messages that both
// ends share.
//
// Context: trap handler in a vessel; the packing, any.
#pragma once
#include "libdsm/runtime/channel.h"
#include "libdsm/runtime/dispatch.h"
#include "libdsm/runtime/register_frame.h"

namespace dsm::runtime {

// The shadow's kernel mask := `mask`, now; what is unblocked by it is delivered before the call returns.
int64_t delegate_mask(Thread& thread, uint64_t mask);
// clone and its relatives, by a thread in a vessel: the child is the origin's affair.
int64_t delegate_clone(Call& call, const channel::CloneRequest& request);

channel::Baggage baggage_of(const Thread& thread, uint64_t mask);
void unpack_registers(Frame& frame, const channel::Registers& registers, const uint8_t* fp, size_t fp_bytes);

}  // namespace dsm::runtime
