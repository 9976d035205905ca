// SPDX-License-Identifier: Apache-2.0
// The program's environment: the launcher's own without what would start a nested job in it or in its children,
// which is DSM_NODES and libdsm.so in LD_PRELOAD. Nothing is added, so a program that prints it prints the same.
#pragma once
#include <string>
#include <vector>

namespace dsm::tools {

std::vector<std::string> job_environment();

// LD_PRELOAD's value without entries whose file name is libdsm.so.
std::string without_libdsm(const std::string& preload);

}  // namespace dsm::tools
