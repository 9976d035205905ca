// SPDX-License-Identifier: Apache-2.0
// A C++ program that loads a plugin with dlopen, from a thread that is not the first, while other
// threads run; all use it at once, catch what it throws, and it is unloaded again.
//
//   dlopen_host [threads] [rounds] [calls]     the plugin lies beside the program
#include <dlfcn.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "dlopen_plugin.h"

namespace {

std::string plugin_path() {
  char self[4096];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self);
  CHECK(n > 0 && n < static_cast<ssize_t>(sizeof self));
  std::string path(self, static_cast<size_t>(n));
  return path.substr(0, path.rfind('/')) + "/dlopen_plugin.so";
}

struct Tally {
  uint64_t hash = 0;
  long thrown = 0;
};

void use(Plugin* plugin, uint64_t seed, long calls, Tally* tally) {
  CHECK(plugin->calls_of_this_thread() == 0);
  uint64_t value = seed;
  for (long i = 0; i < calls; i++) {
    try {
      value = plugin->transform(compute(value, 2000));
    } catch (const std::domain_error& e) {
      CHECK(std::string(e.what()).rfind("value ", 0) == 0);
      value = mix64(value) + static_cast<uint64_t>(i);
      tally->thrown++;
    }
  }
  CHECK(plugin->calls_of_this_thread() == calls);
  tally->hash = value;
}

}  // namespace

int main(int argc, char** argv) {
  long threads = number_argument(argc, argv, 1, 4);
  long rounds = number_argument(argc, argv, 2, 7);
  long calls = number_argument(argc, argv, 3, 12000);
  Tally total;
  for (long round = 0; round < rounds; round++) {
    void* library = nullptr;
    Plugin* plugin = nullptr;
    std::thread loader([&] {
      library = dlopen(plugin_path().c_str(), RTLD_NOW | RTLD_LOCAL);
      if (!library) fprintf(stderr, "%s\n", dlerror());
      CHECK(library);
      auto make = reinterpret_cast<Plugin* (*)()>(dlsym(library, "make_plugin"));
      CHECK(make);
      plugin = make();
    });
    loader.join();
    std::vector<Tally> tallies(static_cast<size_t>(threads));
    std::vector<std::thread> users;
    for (long t = 0; t < threads; t++)
      users.emplace_back(use, plugin, static_cast<uint64_t>(round * threads + t), calls, &tallies[t]);
    for (std::thread& t : users) t.join();
    for (const Tally& t : tallies) {
      total.hash = mix64(total.hash ^ t.hash);
      total.thrown += t.thrown;
    }
    delete plugin;
    CHECK_ZERO(dlclose(library));
  }
  CHECK(total.thrown > threads * rounds * calls / 64);
  printf("%ld rounds, %ld thrown, %016llx ok\n", rounds, total.thrown,
         static_cast<unsigned long long>(total.hash));
  return 0;
}
