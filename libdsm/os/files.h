// SPDX-License-Identifier: Apache-2.0
// What the kernel knows of an open file.
#pragma once
#include <string>

namespace dsm::os {

std::string path_of(int fd);  // empty if it has none

}  // namespace dsm::os
