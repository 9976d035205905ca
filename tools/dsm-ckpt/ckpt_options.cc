// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-ckpt/ckpt_options.h"

#include <CLI/CLI.hpp>

#include "dsm/dsm.h"
#include "libdsm/ckpt/prune.h"
#include "tools/common/exit_codes.h"

namespace dsm::tools {

CkptOptions parse_ckpt_options(int argc, char** argv) {
  using Command = CkptOptions::Command;
  CkptOptions options;
  options.keep = ckpt::kKeptGenerations;
  CLI::App app{"Look at the checkpoints of dsm jobs, check them and remove old ones."};
  app.set_version_flag("--version", std::string("dsm-ckpt ") + DSM_VERSION_STRING);
  app.require_subcommand(1);
  auto command = [&](const char* name, const char* what, Command which) {
    CLI::App* sub = app.add_subcommand(name, what);
    auto* directories = sub->add_option("DIR", options.directories, "Checkpoint directory (--ckpt-dir of dsm-launch)")->required();
    if (which == Command::kPrune) directories->expected(1);
    sub->add_option("--job", options.job, "Only this job");
    sub->add_flag("-j,--json", options.json, "Print JSON (schema dsm-ckpt/1) instead of tables");
    if (which == Command::kShow || which == Command::kVerify)
      sub->add_option("-g,--generation", options.generation, "Only this generation")->check(CLI::PositiveNumber);
    if (which == Command::kPrune)
      sub->add_option("--keep", options.keep, "Keep so many good generations (2)")->check(CLI::Range(1, 1000));
    sub->callback([&options, which] { options.command = which; });
  };
  command("list", "The jobs and their generations", Command::kList);
  command("show", "What each generation consists of, node by node", Command::kShow);
  command("verify", "Read everything and say what is damaged", Command::kVerify);
  command("prune", "Remove the generations of a job that are not needed any more", Command::kPrune);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    options.finished = true;
    options.exit_status = app.exit(error, std::cout, std::cerr) == 0 ? 0 : kExitMisuse;
  }
  return options;
}

}  // namespace dsm::tools
