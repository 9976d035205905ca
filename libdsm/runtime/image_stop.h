// SPDX-License-Identifier: Apache-2.0
// All threads of the program at the origin stand still with their whole state at hand, for a process image.
//
// A thread stops where it could move to another node (migrate.h): in program code, or at the end of a system call. A call that
// sleeps is interrupted and made again later, with what is left of its time limit. It leaves its registers at start_frame(thread), with
// the program's mask, and then waits. While it waits it holds no lock of the runtime.
//
// Invariant: between the return of stop_for_image() and release_from_image() no instruction of the program runs at the origin, and no
// call of the program is in progress.
#pragma once
#include "libdsm/runtime/thread.h"
#include "libdsm/runtime/user_context.h"

namespace dsm::runtime {

class ImageBuilder;

// By a thread of the program in its trap handler, which has its own state at start_frame() already and holds no lock. 0; -EBUSY when
// threads run on other nodes or a child of vfork has not executed yet; -ETIMEDOUT, with a line that names the thread.
int64_t stop_for_image(const Thread& self);
// Each parked thread adds its own part to the image: what only itself can say. After stop_for_image().
void add_parked_threads(const Thread& self, ImageBuilder& builder);
void release_from_image();

// A local thread stands in `user` where it may be stopped: waits here if somebody wants it.
void park_for_image(Thread& thread, const UserContext& user);

}  // namespace dsm::runtime
