// SPDX-License-Identifier: Apache-2.0
// Thread-local variables of each kind: zeroed and initialised __thread data, C++ thread_local with
// constructor and destructor, aligned thread_local data and pthread keys with destructors. Threads
// of one generation run at the same time, so a copy shared by mistake is overwritten and noticed.
//
//   thread_locals [threads] [generations] [work]
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "selfcheck.h"

namespace {

__thread uint64_t t_zero[1000];
__thread int t_initialised = 4711;
thread_local std::string* t_unused = nullptr;
alignas(64) thread_local unsigned char t_aligned[128] = {1, 2, 3};

std::atomic<long> g_constructed{0}, g_destroyed{0}, g_key_destroyed{0};

struct Tracked {
  Tracked() : values(100) { ++g_constructed; }
  ~Tracked() {
    for (size_t i = 1; i < values.size(); i++) CHECK(values[i] == values[0]);
    ++g_destroyed;
  }
  std::vector<uint64_t> values;
};
thread_local Tracked t_tracked;

void destroy_key_value(void* value) {
  uint64_t* box = static_cast<uint64_t*>(value);
  CHECK(box[0] == ~box[1]);
  delete[] box;
  ++g_key_destroyed;
}

void run(long id, long rounds, long work, pthread_key_t key, pthread_barrier_t* together) {
  CHECK(t_initialised == 4711 && t_unused == nullptr && t_aligned[2] == 3);
  CHECK(reinterpret_cast<uintptr_t>(t_aligned) % 64 == 0);
  for (uint64_t v : t_zero) CHECK(v == 0);
  CHECK(pthread_getspecific(key) == nullptr);
  uint64_t tag = mix64(static_cast<uint64_t>(id));
  uint64_t* box = new uint64_t[2]{tag, ~tag};
  CHECK_ZERO(pthread_setspecific(key, box));
  for (long round = 0; round < rounds; round++) {
    tag = compute(tag, work);
    t_initialised = static_cast<int>(tag);
    for (uint64_t& v : t_zero) v = tag;
    for (uint64_t& v : t_tracked.values) v = tag;
    memset(t_aligned, static_cast<int>(tag & 0xff), sizeof t_aligned);
    errno = static_cast<int>(tag & 0x7f);
    if (round == 0) pthread_barrier_wait(together);
    CHECK(errno == static_cast<int>(tag & 0x7f) || round == 0);
    CHECK(t_initialised == static_cast<int>(tag));
    for (uint64_t v : t_zero) CHECK(v == tag);
    for (unsigned char c : t_aligned) CHECK(c == (tag & 0xff));
    CHECK(pthread_getspecific(key) == box);
  }
}

}  // namespace

int main(int argc, char** argv) {
  long threads = number_argument(argc, argv, 1, 4);
  long generations = number_argument(argc, argv, 2, 50);
  long work = number_argument(argc, argv, 3, 1400000);
  pthread_key_t key;
  CHECK_ZERO(pthread_key_create(&key, destroy_key_value));
  for (long g = 0; g < generations; g++) {
    pthread_barrier_t together;
    CHECK_ZERO(pthread_barrier_init(&together, nullptr, static_cast<unsigned>(threads)));
    std::vector<std::thread> group;
    for (long t = 0; t < threads; t++)
      group.emplace_back(run, g * threads + t, 20, work / 10, key, &together);
    for (std::thread& t : group) t.join();
    CHECK_ZERO(pthread_barrier_destroy(&together));
    CHECK(g_constructed == (g + 1) * threads && g_destroyed == g_constructed);
    CHECK(g_key_destroyed == (g + 1) * threads);
  }
  CHECK(t_initialised == 4711);  // the main thread's own
  printf("%ld threads: constructed %ld, destroyed %ld, keys destroyed %ld ok\n",
         threads * generations, g_constructed.load(), g_destroyed.load(), g_key_destroyed.load());
  return 0;
}
