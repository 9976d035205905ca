// SPDX-License-Identifier: Apache-2.0
// The addresses of this machine's network interfaces.
#pragma once
#include <string>
#include <vector>

#include "libdsm/base/result.h"

namespace dsm::os {

struct InterfaceAddress {
  std::string interface;
  std::string address;   // numeric; a link-local IPv6 one with its zone
  bool up = false;
};
std::vector<InterfaceAddress> interface_addresses();

// `wanted`: the name of an interface, or ADDRESS/BITS of the network that the address must be in (ADDRESS alone: itself).
// The first that fits and is up, IPv4 before IPv6. An error says what there is.
Result<std::string> choose_address(const std::string& wanted, const std::vector<InterfaceAddress>& there);

// The address of this machine from which packets to `address` leave. An error if there is no way there.
Result<std::string> address_towards(const std::string& address);

}  // namespace dsm::os
