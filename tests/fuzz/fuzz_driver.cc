// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer: seeds first, then random mutations and splices of them.
//
//   fuzz_NAME [--seconds N] [--seed S]      PASS or FAIL; what a crash was found with is in ./fuzz_NAME.crash
//   fuzz_NAME --write-seeds FOLDER          one file a seed, for libFuzzer
//   fuzz_NAME --input FILE                  one input
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <random>
#include <csignal>

#include "tests/fuzz/fuzz_target.h"

namespace {

constexpr size_t kMaxInput = 16384;

// What the signal handler writes; set before each input.
struct Current {
  const std::string* input = nullptr;
  std::string path;
  uint64_t seed = 0;
};
Current& current() {
  static Current now;
  return now;
}

void on_crash(int signal) {
  const Current& now = current();
  const int file = ::open(now.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file >= 0 && now.input) [[maybe_unused]] ssize_t n = ::write(file, now.input->data(), now.input->size());
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void run(const std::string& input) {
  current().input = &input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& seeds, uint64_t seed) : seeds_(seeds), random_(seed) {}

  std::string next() {
    std::string input = pick();
    for (unsigned n = 1 + below(6); n > 0; --n) change(input);
    if (input.size() > kMaxInput) input.resize(kMaxInput);
    return input;
  }

 private:
  size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& pick() { return seeds_[below(seeds_.size())]; }
  void change(std::string& s) {
    constexpr uint64_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, uint64_t{1} << 47, INT64_MAX, UINT64_MAX};
    const size_t at = below(s.size() + 1);
    switch (below(7)) {
      case 0: if (at < s.size()) s[at] = static_cast<char>(s[at] ^ 1 << below(8)); break;
      case 1: if (at < s.size()) s[at] = static_cast<char>(random_()); break;
      case 2: s.erase(at, 1 + below(16)); break;
      case 3: s.insert(at, 1 + below(16), static_cast<char>(random_())); break;
      case 4: {  // a number at its edge
        const uint64_t value = kEdges[below(std::size(kEdges))] + below(3) - 1;
        const size_t width = size_t{1} << below(4);
        if (at + width <= s.size()) std::memcpy(s.data() + at, &value, width);
        break;
      }
      case 5: {
        const std::string& other = pick();
        const size_t from = below(other.size() + 1);
        s.insert(at, other, from, below(other.size() - from + 1));
        break;
      }
      case 6: s.resize(at); break;
    }
  }

  const std::vector<std::string>& seeds_;
  std::mt19937_64 random_;
};

int write_seeds(const std::string& folder) {
  size_t number = 0;
  for (const std::string& seed : fuzz_seeds()) {
    std::ofstream out(folder + "/seed" + std::to_string(number++), std::ios::binary);
    if (!out.write(seed.data(), static_cast<std::streamsize>(seed.size()))) return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = std::string(argv[0]).substr(std::string(argv[0]).find_last_of('/') + 1);
  long seconds = 8;
  uint64_t seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string arg = argv[i];
    if (arg == "--seconds") seconds = std::atol(argv[i + 1]);
    else if (arg == "--seed") seed = std::strtoull(argv[i + 1], nullptr, 10);
    else if (arg == "--write-seeds") return write_seeds(argv[i + 1]);
    else if (arg == "--input") {
      std::ifstream in(argv[i + 1], std::ios::binary);
      run(std::string(std::istreambuf_iterator<char>(in), {}));
      return 0;
    } else return std::fprintf(stderr, "%s: bad argument %s\n", argv[0], argv[i]), 2;
  }
  current().path = std::string(argv[0]) + ".crash";
  for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) ::signal(signal, on_crash);
  std::printf("%s: seed %llu\n", name.c_str(), static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  const std::vector<std::string> seeds = fuzz_seeds();
  for (const std::string& s : seeds) run(s);
  Mutator mutator(seeds, seed);
  uint64_t inputs = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  do {
    for (int i = 0; i < 100; ++i, ++inputs) run(mutator.next());
  } while (std::chrono::steady_clock::now() < end);
  std::printf("%llu inputs\nPASS %s\n", static_cast<unsigned long long>(inputs), name.c_str());
  return 0;
}
