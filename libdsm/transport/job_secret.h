// SPDX-License-Identifier: Apache-2.0
// The secret of a job: drawn by the launcher from getrandom, handed to each agent over its control stream, never in argv or
// the environment. Who has it belongs to the job.
#pragma once
#include <array>
#include <cstddef>

namespace dsm::transport {

inline constexpr size_t kSecretBytes = 32;
using Secret = std::array<std::byte, kSecretBytes>;

}  // namespace dsm::transport
