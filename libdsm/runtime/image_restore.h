// SPDX-License-Identifier: Apache-2.0
// A process becomes what a process image says: same addresses, descriptors, signal actions, timers, threads with the same ids. The pages
// are the agent's affair: it has put them into the memfd before it says Welcome.
//
// The process has been made with the image's pid, in a PID namespace where the other ids are free and where it may choose them
// (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE over the namespace; for an ordinary user a user namespace gives that). Nothing of the program runs
// before everything stands: what cannot be done ends the process with a line that says what is needed and what was found.
//
// Context: the only thread of the process, on the stack of its block; restored threads as their functions say.
#pragma once
#include "libdsm/runtime/process_image.h"

namespace dsm::runtime {

// `descriptors` as application.h says; `image_fd`: the image, which is closed.
[[noreturn]] void restore_main(const char* descriptors, int image_fd);

// ---- Its parts -------------------------------------------------------------------------------------------------------
void restore_memory(const image::View& view);
// All descriptors of the program but the launcher's three must be closed; this process inherits nothing else.
void restore_files(const image::View& view);
// Makes all other threads and waits until they stand ready; then lets them and the calling one go on.
[[noreturn]] void restore_threads(const image::View& view);

// Opens the file at `path`, or ends the process with a line that names it.
int open_again(const char* path, uint64_t flags, const char* what_for);

}  // namespace dsm::runtime
