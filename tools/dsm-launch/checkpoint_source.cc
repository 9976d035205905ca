// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/checkpoint_source.h"

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <filesystem>

#include "libdsm/ckpt/job_store.h"
#include "libdsm/runtime/process_image.h"

namespace dsm::tools {
namespace {

constexpr const char* kProcessSection = "process";
constexpr uint64_t kMostImageBytes = uint64_t{4} << 30;
constexpr size_t kMostNameBytes = 32;

struct Place {
  std::string dir, job;
};

Result<Place> find_job(const std::string& where) {
  namespace fs = std::filesystem;
  std::error_code code;
  const fs::path path = fs::canonical(where, code);
  if (code) return Error{fmt::format("--restart {}: {}", where, code.message()), 0};
  auto jobs = ckpt::list_jobs({path.string()});
  if (jobs && jobs->size() == 1) return Place{path.string(), jobs->front()};
  if (jobs && jobs->size() > 1)
    return Error{fmt::format("--restart {}: it holds the checkpoints of several jobs; name one: {}/{{{}}}", where, where, fmt::join(*jobs, ",")), 0};
  const std::string parent = path.parent_path().string(), name = path.filename().string();
  auto around = ckpt::list_jobs({parent});
  if (around && std::find(around->begin(), around->end(), name) != around->end()) return Place{parent, name};
  return Error{fmt::format("--restart {}: there is no checkpoint; needed: a directory that was given to --ckpt-dir, or DIR/JOB below it", where), 0};
}

Result<RestoredProgram> read_program(ckpt::GenerationReader& part) {
  auto bytes = part.section(kProcessSection, kMostImageBytes);
  if (!bytes) return bytes.error();
  image::View view;
  if (const char* bad = image::check_process_image(bytes->data(), bytes->size(), &view))
    return Error{fmt::format("{}: the process image is damaged: {}", part.path(), bad), 0};
  os::Fd file(memfd_create("image", MFD_CLOEXEC));
  if (!file || write(file.get(), bytes->data(), bytes->size()) != static_cast<ssize_t>(bytes->size())) return system_error("cannot keep the process image", errno);
  return RestoredProgram{view.process->pid, std::max(view.process->pid, view.threads[view.threads.count - 1].tid), std::move(file)};
}

}  // namespace

Result<CheckpointSource> open_checkpoint(const std::string& where) {
  auto place = find_job(where);
  if (!place) return place.error();
  auto newest = ckpt::open_newest({place->dir}, place->job, ckpt::Check::kManifests);
  if (!newest) return newest.error();
  ckpt::GenerationState& state = newest->state;
  auto restored = read_program(*state.parts.front());
  if (!restored) return restored.error();
  return CheckpointSource{place->dir, place->job, state.parts.front()->manifest().identity.program, state.generation, std::move(*restored),
                          std::move(newest->findings)};
}

std::string checkpoint_job_name(const std::string& program) {
  std::string name = std::filesystem::path(program).filename().string().substr(0, kMostNameBytes);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_') c = '_';
  return fmt::format("{}-{:%Y%m%d-%H%M%S}-{}", name, fmt::localtime(std::time(nullptr)), getpid());
}

}  // namespace dsm::tools
