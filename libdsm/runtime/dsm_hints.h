// SPDX-License-Identifier: Apache-2.0
// The runtime's answers to the calls of dsm.h. Context of a system call handler (dispatch.h).
#pragma once
#include "libdsm/runtime/dispatch.h"
#include "libdsm/runtime/dsm_calls.h"

namespace dsm::runtime {

inline bool is_dsm_call(int64_t number) { return number >= DSM_CALL_BASE && number < DSM_CALL_END; }
// Answered where the thread is; the others are delegated.
inline bool is_local_dsm_call(int64_t number) { return is_dsm_call(number) && number != DSM_CALL_STATS; }

int64_t dsm_call(Call& call);

}  // namespace dsm::runtime
