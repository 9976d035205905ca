// SPDX-License-Identifier: Apache-2.0
// What an agent says of its machine when it reports for duty, and whether such a machine can work with the origin's: one
// process runs on both, so what the program found out on one must hold on the other.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

namespace dsm::tools {

struct NodeFacts {
  std::string version;          // of dsm
  std::string runtime;          // digest of dsm-runtime: both ends of a stream must be the same build
  std::string kernel;           // uname -r
  int page_bytes = 0;
  std::set<std::string> cpu;    // instruction sets by their usual names
  std::string saved_registers;  // XCR0, hexadecimal: the parts of a thread's registers
};

// The "facts" of a listening event. What is missing stays empty, which no complete set of facts equals.
NodeFacts parse_facts(const nlohmann::json& facts);

// Why it is another version than `here`; empty if it is not. Part of misfit(), for before the origin has reported.
std::string other_version(const NodeFacts& node, const std::string& here, const std::string& host);

// Why a node cannot work with the origin, for people, with `host` as the node's name; empty if it can.
std::string misfit(const NodeFacts& origin, const NodeFacts& node, const std::string& host);

// The same for threads that read clocks through the vdso of the node they run on: its code must be the same everywhere.
std::string other_vdso(const NodeFacts& origin, const NodeFacts& node, const std::string& host);

}  // namespace dsm::tools
