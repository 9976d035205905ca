// SPDX-License-Identifier: Apache-2.0
// All threads of the program stand still at the origin with their whole state at hand, for a process image. Those that run
// on other nodes are called home for it and go back when they are released: no page moves for that.
//
// A thread stops where it could move to another node (migrate.h): in program code, or at the end of a system call. A call that
// sleeps is interrupted and made again later, with what is left of its time limit. It leaves its registers at start_frame(thread), with
// the program's mask, and then waits. While it waits it holds no lock of the runtime.
//
// Invariant: between the return of stop_for_image() and release_from_image() no instruction of the program runs anywhere, and no
// call of the program is in progress.
#pragma once
#include "libdsm/runtime/thread.h"
#include "libdsm/runtime/user_context.h"

namespace dsm::runtime {

class ImageBuilder;

// By a thread of the program in its trap handler, which has its own state at start_frame() already and holds no lock. 0;
// -ETIMEDOUT, with a line that names the thread. One stop at a time: -EBUSY.
int64_t stop_for_image(const Thread& self);
// Each parked thread adds its own part to the image: what only itself can say. After stop_for_image().
void add_parked_threads(const Thread& self, ImageBuilder& builder);
void release_from_image();

// A local thread stands in `user` where it may be stopped: waits here if somebody wants it.
void park_for_image(Thread& thread, const UserContext& user);
// The thread has come home from node `from`, with its state at start_frame() and all signals blocked: the same.
void park_at_home(Thread& thread, uint32_t from);

}  // namespace dsm::runtime
