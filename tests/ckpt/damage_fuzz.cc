// SPDX-License-Identifier: Apache-2.0
// Damages a checkpoint store in every way that files can be damaged, and compares what can still be read with the truth: the newest
// generation that is not touched is used, or a newer one with exactly its bytes, and the damaged file is named. Never a wrong byte.
//
//   damage_fuzz [--cases N] [--seed S] [--scratch DIR]        and some more for disks that fail while a checkpoint is written
//   damage_fuzz --write DIR                                   only makes a store (three generations)
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tests/ckpt/store_damage.h"
#include "tests/ckpt/write_failures.h"
#include "tests/harness/ckpt_sample.h"

namespace {

using namespace dsm;
using namespace dsm::ckpt;
using namespace dsm::ckpt::damage;
namespace fs = std::filesystem;

constexpr uint64_t kGenerations = 3;
constexpr uint64_t kSmallDiskBytes = 6u << 20;

struct Tally {
  uint64_t passed = 0, failed = 0;
  uint64_t by_kind[static_cast<unsigned>(Kind::kCount)] = {};
  uint64_t used_newest = 0, used_older = 0, refused = 0;
  void report(const char* what, const std::string& problem) {
    if (problem.empty()) ++passed;
    else if (++failed <= 20) std::printf("# %s: %s\n", what, problem.c_str());
  }
};

class Truths {
 public:
  Truths() {
    for (uint64_t g = 1; g <= kGenerations; ++g)
      for (uint16_t n = 0; n < sample::kNodes; ++n) truths_.push_back(sample::truth_of(g, NodeId{n}));
  }
  const sample::Truth& of(uint64_t generation, uint16_t node) const { return truths_[(generation - 1) * sample::kNodes + node]; }

 private:
  std::vector<sample::Truth> truths_;
};

bool names(const std::vector<std::string>& findings, const std::string& path) {
  for (const std::string& finding : findings)
    if (finding.find(path) != std::string::npos) return true;
  return false;
}

// What verify finds in all generations.
std::vector<std::string> findings_of(const std::string& root) {
  auto states = inspect_job({root}, sample::kJob);
  if (!states.ok()) return {states.error().what};
  std::vector<std::string> findings;
  for (GenerationState& state : *states) {
    (void)state.verify();
    findings.insert(findings.end(), state.findings.begin(), state.findings.end());
  }
  return findings;
}

std::string check(const std::string& root, const Truths& truths, const std::vector<Damage>& done, const std::set<uint64_t>& untouched, Tally& tally) {
  auto newest = open_newest({root}, sample::kJob, Check::kData);
  if (!newest.ok()) {
    ++tally.refused;
    if (!untouched.empty()) return "generation " + std::to_string(*untouched.rbegin()) + " is sound, but: " + newest.error().what;
  } else {
    const uint64_t used = newest->state.generation;
    ++(used == kGenerations ? tally.used_newest : tally.used_older);
    if (used > kGenerations) return "generation " + std::to_string(used) + " was never written";
    if (!untouched.empty() && used < *untouched.rbegin()) return "uses generation " + std::to_string(used) + ", but a newer one is sound";
    if (used < kGenerations && newest->findings.empty()) return "uses an older generation without a word";
    for (uint16_t n = 0; n < sample::kNodes; ++n) {
      auto part = sample::read_part(*newest->state.parts[n]);
      if (!part.ok()) return "verified, but then: " + part.error().what;
      if (!(*part == truths.of(used, n))) return "WRONG BYTES in generation " + std::to_string(used);
    }
  }
  const std::vector<std::string> findings = findings_of(root);
  bool expected = false, named = false;
  for (const Damage& damage : done) {
    expected |= damage.must_be_named;
    named |= damage.must_be_named && names(findings, damage.path);
  }
  return expected && !named ? "verify does not name the file" : std::string();
}

void damage_cases(const std::string& root, uint64_t cases, uint64_t seed, Tally& tally) {
  const Truths truths;
  DamagedStore store(root, seed);
  for (uint64_t n = 0; n < cases; ++n) {
    std::vector<Damage> done;
    const unsigned count = n % 3 == 0 ? 2 + n % 2 : 1;
    std::string what;
    while (done.size() < count) {
      done.push_back(store.damage());
      ++tally.by_kind[static_cast<unsigned>(done.back().kind)];
      what += std::string(what.empty() ? "" : ", ") + to_string(done.back().kind) + " " + done.back().path;
    }
    tally.report(what.c_str(), check(root, truths, done, store.untouched(), tally));
    store.repair();
  }
  std::vector<Damage> none;
  tally.report("repaired store", check(root, truths, none, {kGenerations}, tally));
}

int make_store(const std::string& root) {
  for (uint64_t g = 1; g <= kGenerations; ++g)
    if (auto written = sample::write_generation(root, g); !written.ok()) return std::printf("FAIL make_store %s\n", written.error().what.c_str()), 1;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t cases = 2000, seed = 1;
  std::string scratch_below = "/tmp";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--cases")) cases = std::strtoull(argv[i + 1], nullptr, 10);
    else if (!std::strcmp(argv[i], "--seed")) seed = std::strtoull(argv[i + 1], nullptr, 10);
    else if (!std::strcmp(argv[i], "--scratch")) scratch_below = argv[i + 1];
    else if (!std::strcmp(argv[i], "--write")) return make_store(argv[i + 1]);
    else return std::fprintf(stderr, "damage_fuzz: bad argument %s\n", argv[i]), 2;
  }
  std::printf("damage_fuzz: seed %llu\n", static_cast<unsigned long long>(seed));
  // In memory if possible: nobody measures the disk here.
  const bool mounts = enter_mount_namespace();
  sample::Scratch scratch(scratch_below);
  const std::string store = scratch.path() + "/store", small = scratch.path() + "/small";
  SmallDisk store_disk, small_disk;  // gone before their folders are
  if (mounts && !store_disk.mount(store, 256u << 20)) return std::printf("FAIL damage_fuzz cannot mount a tmpfs\n"), 1;
  if (make_store(store) != 0) return 1;
  Tally tally;
  damage_cases(store, cases, seed, tally);

  const std::string limited = scratch.path() + "/limited";
  if (auto first = sample::write_generation(limited, 1); !first.ok()) return std::printf("FAIL damage_fuzz %s\n", first.error().what.c_str()), 1;
  for (uint64_t n = 0; n < cases / 40; ++n) tally.report("file size limit", file_limit_case(limited, seed + n));
  if (mounts && small_disk.mount(small, kSmallDiskBytes)) {
    if (auto first = sample::write_generation(small, 1); !first.ok()) return std::printf("FAIL damage_fuzz %s\n", first.error().what.c_str()), 1;
    for (uint64_t n = 0; n < cases / 40; ++n) tally.report("full disk", full_disk_case(small, seed + n));
    for (uint64_t n = 0; n < 10; ++n) tally.report("read-only disk", read_only_case(small));
  } else {
    std::printf("SKIP damage_fuzz_full_disk no mount namespace can be made here\n");
  }
  for (unsigned kind = 0; kind < static_cast<unsigned>(Kind::kCount); ++kind)
    std::printf("# %-17s %llu\n", to_string(static_cast<Kind>(kind)), static_cast<unsigned long long>(tally.by_kind[kind]));
  std::printf("# newest used %llu, older used %llu, refused %llu\n", static_cast<unsigned long long>(tally.used_newest),
              static_cast<unsigned long long>(tally.used_older), static_cast<unsigned long long>(tally.refused));
  if (tally.failed == 0) std::printf("PASS damage_fuzz %llu cases\n", static_cast<unsigned long long>(tally.passed));
  else std::printf("FAIL damage_fuzz %llu of %llu cases\n", static_cast<unsigned long long>(tally.failed), static_cast<unsigned long long>(tally.passed + tally.failed));
  return tally.failed == 0 ? 0 : 1;
}
