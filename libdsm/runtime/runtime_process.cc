// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime::detail {
constinit Process the_process = {};
}
