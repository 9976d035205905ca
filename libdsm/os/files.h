// SPDX-License-Identifier: Apache-2.0
// What the kernel knows of an open file.
#pragma once
#include <cstdint>
#include <string>

namespace dsm::os {

std::string path_of(int fd);  // empty if it has none
uint64_t bytes_behind(int fd, uint64_t offset);  // of a regular file as it is now; 0 beyond its end

}  // namespace dsm::os
