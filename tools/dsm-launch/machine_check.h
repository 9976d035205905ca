// SPDX-License-Identifier: Apache-2.0
// --check: can this machine, and this user, run jobs? Each line says what is needed, what was found, what fixes it.
#pragma once
#include "tools/dsm-launch/installation.h"

namespace dsm::tools {

// Prints to stdout. 0 when all that is required is there, 125 otherwise; what is optional never fails.
int check_machine(const Installation& installation);

}  // namespace dsm::tools
