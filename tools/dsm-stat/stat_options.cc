// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-stat/stat_options.h"

#include <CLI/CLI.hpp>

#include "dsm/dsm.h"
#include "tools/common/exit_codes.h"

namespace dsm::tools {

StatOptions parse_stat_options(int argc, char** argv) {
  StatOptions options;
  CLI::App app{"Show the running dsm jobs of this host: where pages go and why it is slow."};
  app.set_version_flag("--version", std::string("dsm-stat ") + DSM_VERSION_STRING);
  app.add_option("job", options.job, "Job to show; without it all jobs are listed");
  app.add_flag("-j,--json", options.json, "Print JSON (schema dsm-stat/1) instead of tables");
  app.add_option("-w,--watch", options.watch_s, "Print again every SECONDS until the job ends (1 when no number is given)")
      ->expected(0, 1)
      ->default_str("1")
      ->check(CLI::Range(0.05, 86400.0));
  app.require_subcommand(0, 1);
  auto command = [&](const char* name, const char* what, StatOptions::Command which) {
    CLI::App* sub = app.add_subcommand(name, what);
    sub->add_option("JOB", options.job, "The job, as dsm-stat lists it")->required();
    if (which == StatOptions::Command::kMigrate)
      sub->add_option("TID", options.tid, "The thread, as dsm-stat JOB lists it")->required()->check(CLI::PositiveNumber);
    sub->add_option("NODE", options.node, "The node")->required()->check(CLI::Range(0, 255));
    if (which == StatOptions::Command::kDrain)
      sub->add_option("--timeout", options.timeout_s, "Wait so many seconds (60)")->check(CLI::Range(0.0, 86400.0));
    sub->callback([&options, which] { options.command = which; });
  };
  command("migrate", "Move a running thread to a node", StatOptions::Command::kMigrate);
  command("drain", "Move all threads and pages of a node away; wait until it holds none", StatOptions::Command::kDrain);
  command("undrain", "Let a drained node take threads again", StatOptions::Command::kUndrain);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    options.finished = true;
    options.exit_status = app.exit(error, std::cout, std::cerr) == 0 ? 0 : kExitMisuse;
  }
  if (!options.finished && app.count("--watch") && options.watch_s == 0) options.watch_s = 1;
  return options;
}

}  // namespace dsm::tools
