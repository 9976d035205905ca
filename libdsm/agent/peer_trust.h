// SPDX-License-Identifier: Apache-2.0
// What an agent asks of its peers before it listens to them, from the job's configuration.
#pragma once
#include <memory>

#include "libdsm/agent/agent_config.h"
#include "libdsm/transport/authenticator.h"

namespace dsm::agent {

// Whether the connections of this agent are encrypted (Encrypt::kAuto is decided by where it listens).
bool encrypts(const Configure& config);
std::unique_ptr<transport::Authenticator> make_authenticator(const Configure& config);

}  // namespace dsm::agent
