// SPDX-License-Identifier: Apache-2.0
// The descriptors behind program memory. The process keeps its own copy of the userfaultfd open for life: should the
// agent die, faults hang until the process is killed; they never fall back to silent zero fills.
#pragma once

namespace dsm::runtime {

// A userfaultfd with the features that the protocol needs (not yet private). Ends the process with a remedy when there is none.
int open_userfault();
// Whether open_userfault() would be let: it may be another user's process by now.
bool userfault_is_allowed();
// The sparse file whose offsets are the program's addresses (not yet private).
int open_memory_file();

}  // namespace dsm::runtime
