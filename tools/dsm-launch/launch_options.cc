// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/launch_options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "dsm/dsm.h"
#include "libdsm/runtime/abi.h"
#include "tools/common/exit_codes.h"
#include "tools/dsm-launch/host_list.h"

namespace dsm::tools {
namespace {

constexpr uint64_t kLeastBudget = 16 << 20;   // less holds not even a program's libraries

bool is_number(const std::string& text, long low, long high) {
  if (text.empty() || text.size() > 9 || !std::all_of(text.begin(), text.end(), ::isdigit)) return false;
  const long value = std::stol(text);
  return value >= low && value <= high;
}

CLI::Validator one_of(std::vector<std::string> words, std::string prefix, long low, long high) {
  std::string shape;
  for (const auto& word : words) shape += (shape.empty() ? "" : "|") + word;
  if (high) shape += fmt::format("|{}", prefix.empty() ? "microseconds" : prefix + "K");
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        if (std::find(words.begin(), words.end(), text) != words.end()) return {};
        if (high && text.starts_with(prefix) && is_number(text.substr(prefix.size()), low, high)) return {};
        return fmt::format("needs {}, found '{}'", shape, text);
      },
      shape);
}

// Options end at the first word that is not one of ours: the rest belongs to the program, whatever it looks like.
size_t own_words(int argc, char** argv) {
  static const std::vector<std::string> with_value = {"-n",       "--nodes",  "--place",   "--lease",
                                                      "--poll",   "--report", "--hold-us", "--argv0",
                                                      "--mutation", "--encrypt", "-H",       "--host",    "--hostfile",
                                                      "--engine",   "--iface", "--clock",  "--ssh",     "--remote-prefix",
                                                      "--chaos-migrate", "--chaos-seed", "--children", "--mem",
                                                      "--ckpt-dir", "--ckpt-every", "--restart", "--max-restarts"};
  size_t i = 1;
  while (i < static_cast<size_t>(argc)) {
    const std::string word = argv[i];
    if (word == "--" || word.empty() || word[0] != '-' || word == "-") break;
    i += std::find(with_value.begin(), with_value.end(), word) != with_value.end() ? 2 : 1;
  }
  return std::min(i, static_cast<size_t>(argc));
}

std::vector<std::string> placements_without_number() {
  std::vector<std::string> names;
  for (const abi::PlacementName& known : abi::kPlacementNames)
    if (known.policy != abi::kPlaceNode) names.push_back(known.name);
  return names;
}

std::string placement_help() {
  std::string text = "Where new threads go:";
  for (const abi::PlacementName& known : abi::kPlacementNames)
    text += fmt::format(" {}{} ({}),", known.name, known.policy == abi::kPlaceNode ? ":K" : "", known.what);
  text.pop_back();
  return text;
}

std::string place_problem(const LaunchOptions& o) {
  if (!o.place.starts_with("node:")) return {};
  const int node = std::stoi(o.place.substr(5));
  if (node < o.nodes) return {};
  return fmt::format("--place node:{}: there are {} nodes, 0 to {}", node, o.nodes, o.nodes - 1);
}

struct HostWords {
  std::string list, file;   // of --host and --hostfile
};

std::string read_host_file(const std::string& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  text.assign(std::istreambuf_iterator<char>(file), {});
  return file.is_open() && !file.bad() ? "" : fmt::format("cannot read the host file {}: {}", path, std::strerror(errno));
}

// The agent has another working directory. "" or what is wrong with it.
std::string make_absolute(std::string& dir) {
  std::error_code code;
  std::filesystem::create_directories(dir, code);
  if (!code) dir = std::filesystem::canonical(dir, code).string();
  return code ? fmt::format("--ckpt-dir {}: {}", dir, code.message()) : "";
}

// Which host each node is on, and with that how many nodes there are.
std::string host_problem(const HostWords& words, LaunchOptions& o) {
  if (words.list.empty() && words.file.empty())
    return o.engine == "ssh" ? "--engine ssh: needs --host or --hostfile, which say where" : "";
  std::string text = words.list;
  if (text.empty())
    if (std::string problem = read_host_file(words.file, text); !problem.empty()) return problem;
  const auto hosts = words.list.empty() ? parse_host_file(text, words.file) : parse_host_list(text);
  if (!hosts) return (words.list.empty() ? "" : "--host: ") + hosts.error().what;
  auto taken = take_slots(hosts.value(), o.nodes_given ? o.nodes : 0);
  if (!taken) return taken.error().what;
  o.hosts = std::move(taken).value();
  o.nodes = static_cast<int>(o.hosts.size());
  return {};
}

}  // namespace

ParsedOptions parse_launch_options(int argc, char** argv) {
  ParsedOptions parsed;
  LaunchOptions& o = parsed.options;
  CLI::App app{"Run an existing threaded program as one process over several nodes:\n"
               "  dsm-launch [OPTIONS] [--] PROGRAM [ARGUMENT...]"};
  app.set_version_flag("--version", std::string("dsm-launch ") + DSM_VERSION_STRING);
  HostWords hosts;
  CLI::Option* const nodes = app.add_option("-n,--nodes", o.nodes, "Number of nodes, the origin included (with hosts: all their slots)");
  nodes->envname("DSM_NODES")->check(CLI::Range(1, 256));
  CLI::Option* const list = app.add_option("-H,--host", hosts.list, "Machines of the nodes: a,b:2,node[01-16]; :N is how many nodes it takes");
  list->envname("DSM_HOST");
  app.add_option("--hostfile", hosts.file, "The same, from a file: lines of NAME or NAME slots=N")->envname("DSM_HOSTFILE")->excludes(list);
  app.add_option("--engine", o.engine, "How agents are started: auto (inside a Slurm allocation by srun, else by ssh where the host is another one), local, ssh, slurm")
      ->envname("DSM_ENGINE")
      ->check(one_of({"auto", "local", "ssh", "slurm"}, "", 0, 0));
  app.add_option("--iface", o.interface, "Network of the nodes: an interface's NAME, or ADDRESS/BITS (default: what ssh uses)")->envname("DSM_IFACE");
  app.add_option("--clock", o.clock, "Monotonic clocks: origin (node 0's for all threads), local (each node's), auto (origin if nodes are on other hosts)")
      ->envname("DSM_CLOCK")
      ->check(one_of({"auto", "origin", "local"}, "", 0, 0));
  app.add_option("--ssh", o.ssh, "The ssh command, with arguments if need be")->envname("DSM_SSH");
  app.add_option("--remote-prefix", o.remote_prefix, "Folder of bin/dsmd on other hosts (default: as here)")->envname("DSM_REMOTE_PREFIX");
  app.add_option("--place", o.place, placement_help())
      ->envname("DSM_PLACE")
      ->check(one_of(placements_without_number(), "node:", 0, 255));
  app.add_option("--children", o.children, "Child processes that create threads: auto (one at a time is distributed), native (none), distribute (up to 8)")
      ->envname("DSM_CHILDREN")
      ->check(one_of({"auto", "native", "distribute"}, "", 0, 0));
  app.add_option("--lease", o.lease, "Anti-ping-pong leases: auto (adaptive), off, or a fixed time in us")
      ->envname("DSM_LEASE")
      ->check(one_of({"auto", "off"}, "", 1, 1000000));
  app.add_option("--poll", o.poll, "Agents poll before they block: auto, always, never")
      ->envname("DSM_POLL")
      ->check(one_of({"auto", "always", "never"}, "", 0, 0));
  app.add_option("--encrypt", o.encrypt, "Connections between nodes: on (TLS 1.3), auth (proof of the job's secret, plain data),\n"
                                         "off (the same as auth), auto (on between machines, auth on one)")
      ->envname("DSM_ENCRYPT")
      ->check(one_of({"auto", "on", "auth", "off"}, "", 0, 0));
  app.add_option("--hold-us", o.hold_us, "Minimum hold of a page that was just granted, in us")->check(CLI::Range(0, 100000));
  app.add_option("--mem", o.memory_bytes,
                 "Memory for the program's pages on each node (512M, 4G); beyond it cold pages move to a node with room")
      ->envname("DSM_MEM")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Validator(
          [](std::string& text) {
            return text.size() < 8 || std::stoull(text) < kLeastBudget ? "needs 16M or more, found " + text + " bytes" : std::string();
          },
          ""));
  app.add_option("--ckpt-dir", o.checkpoint_dir, "Keep the checkpoints that the program asks for below this directory")->envname("DSM_CKPT_DIR")->type_name("DIR");
  app.add_option("--ckpt-every", o.checkpoint_every_s, "Take a checkpoint every SEC seconds (needs --ckpt-dir or --restart)")
      ->envname("DSM_CKPT_EVERY")->type_name("SEC")->check(CLI::Range(0.01, 1e7));
  app.add_option("--max-restarts", o.max_restarts, "How often a job that keeps checkpoints goes on from one when a node is lost")
      ->envname("DSM_MAX_RESTARTS")->check(CLI::Range(0, 1000000));
  app.add_option("--restart", o.restart, "Instead of starting a program: go on from the newest checkpoint in DIR, or in DIR/JOB")->type_name("DIR");
  app.add_option("--report", o.report, "Write statistics as JSON to this file at exit")->envname("DSM_REPORT");
  app.add_option("--argv0", o.argv0, "")->group("");
  app.add_option("--chaos-migrate", o.chaos_migrate_hz, "For tests: move random threads to random nodes, so many a second")
      ->check(CLI::Range(0.0, 10000.0));
  app.add_option("--chaos-seed", o.chaos_seed, "Seed of --chaos-migrate");
  app.add_option("--mutation", o.mutation, "")->group("");
  app.add_flag("-v,--verbose", o.verbose, "Say what happens, and a table per node at exit");
  app.add_flag("--check", o.check, "Test whether this machine can run jobs, and say what to fix");
  app.add_flag("--dry-run", o.dry_run, "Say what would be started, start nothing");
  app.footer("Exit status: the program's own; 128+n if signal n ended it; 125 when dsm failed; 126 not executable;\n"
             "127 not found; 2 bad options.");

  const size_t own = own_words(argc, argv);
  try {
    app.parse(static_cast<int>(own), argv);
  } catch (const CLI::ParseError& error) {
    parsed.finished = true;
    parsed.exit_status = app.exit(error, std::cout, std::cerr) == 0 ? 0 : kExitMisuse;
    return parsed;
  }
  size_t i = own;
  if (i < static_cast<size_t>(argc) && std::string(argv[i]) == "--") ++i;
  o.command.assign(argv + i, argv + argc);
  o.nodes_given = nodes->count() > 0;
  std::string problem = host_problem(hosts, o);
  if (problem.empty()) problem = place_problem(o);
  if (problem.empty() && !o.restart.empty() && !o.command.empty()) problem = "--restart goes on with the program of the checkpoint; leave out " + o.command[0];
  if (problem.empty() && o.checkpoint_every_s != 0 && o.checkpoint_dir.empty() && o.restart.empty()) problem = "--ckpt-every: needs --ckpt-dir, which says where";
  if (problem.empty() && !o.checkpoint_dir.empty()) problem = make_absolute(o.checkpoint_dir);
  if (problem.empty() && o.command.empty() && o.restart.empty() && !o.check) problem = "no program given; usage: dsm-launch -n 4 -- PROGRAM [ARGUMENT...]";
  if (!problem.empty()) {
    std::cerr << "dsm-launch: " << problem << "\n";
    parsed.finished = true;
    parsed.exit_status = kExitMisuse;
  }
  return parsed;
}

}  // namespace dsm::tools
