// SPDX-License-Identifier: Apache-2.0
// What the user asked for: the command line of dsm-launch, with DSM_* environment variables as defaults.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "libdsm/base/result.h"

namespace dsm::tools {

struct LaunchOptions {
  int nodes = 2;
  bool nodes_given = false;
  std::vector<std::string> hosts;  // of each node, from --host or --hostfile; empty: all nodes are here, and nothing else was asked for
  std::string engine = "auto";     // auto | local | ssh | slurm
  std::string interface;           // NAME or ADDRESS/BITS, empty: what ssh uses
  std::string clock = "auto";      // auto | origin | local
  std::string ssh = "ssh";         // command, with arguments
  std::string remote_prefix;       // where dsm is installed on other hosts; empty: where it is here
  std::string place = "rr";        // a name of abi::kPlacementNames; node:K
  std::string lease = "auto";      // auto | off | microseconds
  std::string poll = "auto";       // auto | always | never
  std::string encrypt = "auto";    // auto | on | auth | off
  std::string children = "auto";   // auto | native | distribute
  int hold_us = 20;
  uint64_t memory_bytes = 0;       // budget of each node; 0: none
  std::string checkpoint_dir;      // where checkpoints of the job are kept; empty: nowhere
  double checkpoint_every_s = 0;   // 0: only when the program asks
  int max_restarts = 10;           // of a job that keeps checkpoints, when it loses a node
  std::string restart;             // DIR or DIR/JOB of a checkpoint that the program goes on from; empty: it is started
  std::string report;              // path of the JSON report, empty: none
  std::string argv0;               // what the program sees as argv[0]; empty: as given
  double chaos_migrate_hz = 0;     // tests: so many threads a second move to random nodes
  uint64_t chaos_seed = 1;
  std::string mutation;            // hidden: seeded protocol bug, for the self-test of the litmus tests
  bool verbose = false;
  bool check = false;
  bool dry_run = false;
  std::vector<std::string> command;   // program and its arguments
};

// Either options, or the exit status to end with (0 after --help or --version, 2 after misuse); everything the user
// must know has been printed then.
struct ParsedOptions {
  LaunchOptions options;
  bool finished = false;
  int exit_status = 0;
};
ParsedOptions parse_launch_options(int argc, char** argv);

}  // namespace dsm::tools
