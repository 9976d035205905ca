// SPDX-License-Identifier: Apache-2.0
// Which node a new thread of the program goes to (Welcome.place). Origin only; any context.
#pragma once
#include <stdint.h>

namespace dsm::runtime {

uint32_t place_thread();

}  // namespace dsm::runtime
