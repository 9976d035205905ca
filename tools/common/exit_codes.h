// SPDX-License-Identifier: Apache-2.0
// Exit statuses of the tools. A program's own status and 128+signal pass through unchanged.
#pragma once

namespace dsm::tools {

inline constexpr int kExitMisuse = 2;          // bad options
inline constexpr int kExitOurs = 125;          // dsm failed: a node died, a machine is not fit, a deadline passed
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitSignalBase = 128;

}  // namespace dsm::tools
