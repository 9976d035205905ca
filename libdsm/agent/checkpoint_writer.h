// SPDX-License-Identifier: Apache-2.0
// Writes what a CutPlan names, or a part of one, from the node's memfd into a generation. Blocks for as long as the disk takes
// (checkpoint_task.h does not).
#pragma once
#include <span>

#include "libdsm/agent/cut_plan.h"
#include "libdsm/ckpt/generation_writer.h"
#include "libdsm/os/memfd.h"

namespace dsm::agent {

// The pages; sections and finish() are the caller's.
Status write_pages(std::span<const CutGroup> plan, const os::Memfd& memory, ckpt::GenerationWriter& out);

}  // namespace dsm::agent
