// SPDX-License-Identifier: Apache-2.0
// dsm-launch: run an existing threaded program as one process over several nodes.
#include <fmt/core.h>

#include <optional>

#include "tools/common/complain.h"
#include "tools/common/exit_codes.h"
#include "tools/dsm-launch/checkpoint_source.h"
#include "tools/dsm-launch/dry_run.h"
#include "tools/dsm-launch/installation.h"
#include "tools/dsm-launch/job_hosts.h"
#include "tools/dsm-launch/job_runs.h"
#include "tools/dsm-launch/launch_options.h"
#include "tools/dsm-launch/machine_check.h"
#include "tools/dsm-launch/program_lookup.h"

int main(int argc, char** argv) {
  using namespace dsm::tools;
  ParsedOptions parsed = parse_launch_options(argc, argv);
  if (parsed.finished) return parsed.exit_status;
  LaunchOptions& options = parsed.options;

  const auto installation = find_installation();
  if (!installation) {
    complain("dsm-launch: {}\n", installation.error().what);
    return kExitOurs;
  }
  if (options.check) return check_machine(installation.value());

  std::optional<CheckpointSource> source;
  if (!options.restart.empty()) {
    auto opened = open_checkpoint(options.restart);
    if (!opened) {
      complain("dsm-launch: {}\n", opened.error().what);
      return kExitOurs;
    }
    for (const std::string& finding : opened->findings) complain("dsm-launch: an older checkpoint is used: {}\n", finding);
    source = std::move(*opened);
  }
  const Program program = source ? Program{source->program, 0, {}, source->program, false} : find_command(options.command);
  if (program.path.empty()) {
    complain("dsm-launch: {}\n", program.problem);
    return program.exit_status;
  }
  const dsm::Status allocated = take_hosts_of_allocation(options);
  const auto hosts = allocated ? place_nodes(options) : dsm::Result<std::vector<NodeHost>>(allocated.error());
  if (!hosts) {
    complain("dsm-launch: {}\n", hosts.error().what);
    return kExitMisuse;
  }
  if (options.dry_run) return dry_run(options, installation.value(), program, hosts.value());
  return run_job(options, installation.value(), program, hosts.value(), std::move(source));
}
