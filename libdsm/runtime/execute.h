// SPDX-License-Identifier: Apache-2.0
// execve and execveat of the program; they return only errors.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

int64_t do_execve(Call& call);
int64_t do_execveat(Call& call);
// What an execveat names, as a path for execve, in `to` (kPathBytes). 0 or -errno.
int64_t path_of_execveat(const Call& call, char* to);

}  // namespace dsm::runtime
