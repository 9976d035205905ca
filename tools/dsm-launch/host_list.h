// SPDX-License-Identifier: Apache-2.0
// The machines of a job, as the user writes them: --host a,b:2 and the lines of a --hostfile. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libdsm/base/result.h"

namespace dsm::tools {

struct HostSlots {
  std::string name;   // what ssh is given: a name, an address, an alias of ssh_config, with or without user@
  int slots = 1;      // how many nodes it takes
  bool operator==(const HostSlots&) const = default;
};

// "a,b:2,node[01-03,7]:2". A host that is named again gets the slots of both. An IPv6 address with slots is written [::1]:2.
Result<std::vector<HostSlots>> parse_host_list(std::string_view text);

// Lines of "NAME" or "NAME slots=N"; # begins a comment. Errors name `path` and the line.
Result<std::vector<HostSlots>> parse_host_file(std::string_view text, const std::string& path);

// One host name for each node: the first `nodes` slots (0: all of them), host by host in the order given. Error: too few.
Result<std::vector<std::string>> take_slots(const std::vector<HostSlots>& hosts, int nodes);

}  // namespace dsm::tools
