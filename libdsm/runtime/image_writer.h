// SPDX-License-Identifier: Apache-2.0
// Writes the process image (process_image.h): everything that a new process needs to become this one, but for its pages.
//
// Context: one thread of the program at the origin, in its trap handler, holding no lock; all others parked (image_stop.h), unless
// noted. /proc/thread-self is asked, not /proc/self: that is the main thread, which may have ended. What cannot be brought back is named in the image, never left out in silence.
#pragma once
#include "libdsm/runtime/dispatch.h"
#include "libdsm/runtime/image_builder.h"
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

// DSM_CALL_CHECKPOINT: stops the program, writes its image, hands it to the agent, and goes on when the agent says that the
// checkpoint is kept. 0; in the process that is made from it, 1; else -errno of stop_for_image() or of the agent.
int64_t take_checkpoint(Call& call);

// The local thread in `user`, where it may be stopped: if the agent has asked for a checkpoint and nobody has taken the request yet, this
// thread has one made, as if it had called. What goes wrong is said in the log by whoever it goes wrong for.
void checkpoint_if_asked(Thread& thread, const UserContext& user);

// The image of the process into a new memfd, whose number is returned, or -errno; *losses: how many things are named in it as lost.
// `self`'s state is at start_frame().
int64_t write_process_image(Thread& self, uint32_t* losses);

// ---- Its parts -------------------------------------------------------------------------------------------------------
// By the thread itself, parked: registers, limits of time, name, and the signals that wait for it.
void add_thread(Thread& thread, ImageBuilder& builder);
// Main thread first, then by tid; a main thread that has ended gets its place.
void order_threads(ImageBuilder& builder);
void add_process(ImageBuilder& builder);        // paths, limits, timers of intervals, signal actions
void add_posix_timers(ImageBuilder& builder);
void add_memory(ImageBuilder& builder);         // memory lock held
void add_files(ImageBuilder& builder);          // open files, descriptors, epoll sets
void add_children(ImageBuilder& builder);

}  // namespace dsm::runtime
