// SPDX-License-Identifier: Apache-2.0
// Which host names mean the machine that the launcher runs on.
#pragma once
#include <string>

namespace dsm::tools {

// localhost, this machine's host name (with or without its domain), or a name or address that leads to an address of one of its
// interfaces. user@ before it must be the user who asks. May wait for the resolver.
bool is_this_machine(const std::string& host);

std::string this_machine_name();

}  // namespace dsm::tools
