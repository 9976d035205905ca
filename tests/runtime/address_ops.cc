// SPDX-License-Identifier: Apache-2.0
// Random mmap, munmap, mprotect, mremap and madvise in a window of addresses, checked against a model after every step: which
// pages are readable and writable, and what they hold. Prints a seed on failure. It passes natively, which is what makes it an
// oracle; under the runtime it must pass as well.
//   address_ops [SEED [STEPS [thread]]]      in a thread of its own, which may run on another node; stores by the main thread
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <random>

namespace {

constexpr uintptr_t kBase = 0x100000000;
constexpr int kPages = 192;
constexpr size_t kPage = 4096;
constexpr int kFilePages = 64;

struct Page {
  bool mapped = false;
  int prot = 0;
  bool shared = false;
  int file_page = -1;      // private file mapping; -1: anonymous
  unsigned char value = 0;
};

class Window {
 public:
  explicit Window(unsigned seed) : random_(seed), seed_(seed) {
    char name[] = "/tmp/address_ops_XXXXXX";
    file_ = mkstemp(name);
    unlink(name);
    for (int i = 0; i < kFilePages; i++) {
      unsigned char content[kPage];
      memset(content, file_value(i), sizeof content);
      if (write(file_, content, sizeof content) != static_cast<ssize_t>(sizeof content)) fail("write file", 0);
    }
    if (pipe(pipe_) != 0) fail("pipe", 0);
    sem_init(&work_, 0, 0);
    sem_init(&done_, 0, 0);
  }

  // By the other thread: carries out stores until finish().
  void help() {
    for (;;) {
      while (sem_wait(&work_) != 0) {
      }
      if (helped_page_ < 0) return;
      memset(address(helped_page_), page_[helped_page_].value, kPage);
      sem_post(&done_);
    }
  }
  void be_helped() { helped_ = true; }
  void finish() {
    helped_page_ = -1;
    sem_post(&work_);
  }

  void run(int steps) {
    for (step_ = 0; step_ < steps; step_++) {
      switch (pick(9)) {
        case 0: map_anonymous(); break;
        case 1: map_file(MAP_PRIVATE); break;
        case 2: unmap(); break;
        case 3: case 4: protect(); break;
        case 5: discard(); break;
        case 6: resize(); break;
        // A shared file is pinned to the origin: the thread would go home and stay there.
        case 7: map_file(helped_ ? MAP_PRIVATE : MAP_SHARED); break;
        case 8: store(); break;
      }
      check();
    }
  }

 private:
  static unsigned char file_value(int page) { return static_cast<unsigned char>(page * 7 + 1); }
  static char* address(int page) { return reinterpret_cast<char*>(kBase + static_cast<size_t>(page) * kPage); }
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  int pick_prot() {
    const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};
    return prots[pick(5)];
  }
  void pick_range(int* first, int* count) {
    *first = pick(kPages);
    *count = 1 + pick(kPages - *first < 24 ? kPages - *first : 24);
  }

  [[noreturn]] void fail(const char* what, int page) const {
    fprintf(stderr, "address_ops: seed %u step %d page %d: %s (errno %d)\n", seed_, step_, page, what, errno);
    exit(1);
  }

  bool all_mapped(int first, int count) const {
    for (int i = first; i < first + count; i++)
      if (!page_[i].mapped) return false;
    return true;
  }

  void map_anonymous() {
    int first, count;
    pick_range(&first, &count);
    const int prot = pick_prot();
    const bool shared = pick(4) == 0;
    if (mmap(address(first), count * kPage, prot, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
        address(first))
      fail("mmap", first);
    for (int i = first; i < first + count; i++) page_[i] = {true, prot, shared, -1, 0};
  }

  void map_file(int type) {
    int first, count;
    pick_range(&first, &count);
    const int offset = pick(kFilePages - 24), prot = type == MAP_SHARED ? PROT_READ : pick_prot();
    if (mmap(address(first), count * kPage, prot, type | MAP_FIXED, file_, offset * static_cast<off_t>(kPage)) != address(first))
      fail("mmap of a file", first);
    for (int i = first; i < first + count; i++) {
      const int file_page = offset + i - first;
      page_[i] = {true, prot, type == MAP_SHARED, file_page, file_value(file_page)};
    }
  }

  void unmap() {
    int first, count;
    pick_range(&first, &count);
    if (munmap(address(first), count * kPage) != 0) fail("munmap", first);
    for (int i = first; i < first + count; i++) page_[i] = {};
  }

  void protect() {
    int first, count;
    pick_range(&first, &count);
    int prot = pick_prot();
    for (int i = first; i < first + count; i++)
      if (page_[i].shared && page_[i].file_page >= 0) prot &= ~PROT_WRITE;   // stores would change the file
    const bool whole = all_mapped(first, count);
    if (!whole) {
      // The kernel changes what lies before the hole; that is not worth imitating, so ask only for the error.
      if (page_[first].mapped) return;
      if (mprotect(address(first), count * kPage, prot) == 0 || errno != ENOMEM) fail("mprotect of a hole", first);
      return;
    }
    if (mprotect(address(first), count * kPage, prot) != 0) fail("mprotect", first);
    for (int i = first; i < first + count; i++) page_[i].prot = prot;
  }

  void discard() {
    int first, count;
    pick_range(&first, &count);
    const bool whole = all_mapped(first, count);
    const int result = madvise(address(first), count * kPage, MADV_DONTNEED);
    if (whole ? result != 0 : (result == 0 || errno != ENOMEM)) fail("madvise", first);
    for (int i = first; i < first + count; i++)
      if (page_[i].mapped && !page_[i].shared) page_[i].value = page_[i].file_page >= 0 ? file_value(page_[i].file_page) : 0;
  }

  // mremap of private anonymous memory: the kernel refuses what are several mappings to it, and may refuse to merge.
  void resize() {
    int first, count, target, new_count;
    pick_range(&first, &count);
    pick_range(&target, &new_count);
    for (int i = first; i < first + count; i++)
      if (!page_[i].mapped || page_[i].shared || page_[i].file_page >= 0 || page_[i].prot != page_[first].prot) return;
    const bool fixed = pick(2) == 0;
    if (fixed && target < first + count && first < target + new_count) return;
    if (!fixed && first + new_count > kPages) return;
    void* result = fixed ? mremap(address(first), count * kPage, new_count * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, address(target))
                         : mremap(address(first), count * kPage, new_count * kPage, 0);
    if (result == MAP_FAILED) {
      if (errno == EFAULT || (errno == ENOMEM && !fixed && new_count > count)) {
        // A fixed move may have unmapped its target before it failed.
        if (fixed) {
          munmap(address(target), new_count * kPage);
          for (int i = target; i < target + new_count; i++) page_[i] = {};
          if (new_count < count) {
            munmap(address(first + new_count), (count - new_count) * kPage);
            for (int i = first + new_count; i < first + count; i++) page_[i] = {};
          }
        }
        return;
      }
      fail("mremap", first);
    }
    const int to = fixed ? target : first;
    if (result != address(to)) fail("mremap's result", first);
    Page moved[kPages];
    for (int i = 0; i < new_count; i++)
      moved[i] = i < count ? page_[first + i] : Page{true, page_[first].prot, false, -1, 0};
    for (int i = first; i < first + count; i++) page_[i] = {};
    for (int i = 0; i < new_count; i++) page_[to + i] = moved[i];
  }

  void store() {
    int first, count;
    pick_range(&first, &count);
    for (int i = first; i < first + count; i++) {
      if (!page_[i].mapped || (page_[i].prot & PROT_WRITE) == 0) continue;
      page_[i].value = static_cast<unsigned char>(1 + pick(250));
      // In turn here and by the other thread, so that pages change hands.
      if (helped_ && i % 2 == 0) {
        helped_page_ = i;
        sem_post(&work_);
        while (sem_wait(&done_) != 0) {
        }
      } else {
        memset(address(i), page_[i].value, kPage);
      }
    }
  }

  // The kernel says what is accessible, without a fault of ours.
  void check() {
    for (int i = 0; i < kPages; i++) {
      const bool readable = page_[i].mapped && (page_[i].prot & PROT_READ) != 0;
      const bool writable = page_[i].mapped && (page_[i].prot & PROT_WRITE) != 0;
      char byte = 0;
      if ((write(pipe_[1], address(i) + 100, 1) == 1) != readable) fail(readable ? "not readable" : "readable", i);
      if (!readable) continue;
      if (read(pipe_[0], &byte, 1) != 1) fail("pipe", i);
      if (static_cast<unsigned char>(byte) != page_[i].value) fail("wrong content", i);
      const unsigned char last = static_cast<unsigned char>(address(i)[kPage - 1]);
      if (last != page_[i].value) fail("wrong last byte", i);
      if (i % 16 != step_ % 16) continue;
      // getrandom has no other effect than to write, or not.
      if ((syscall(SYS_getrandom, address(i) + 100, 1, 0) == 1) != writable) fail(writable ? "not writable" : "writable", i);
      if (writable) address(i)[100] = static_cast<char>(page_[i].value);
    }
  }

  std::mt19937 random_;
  unsigned seed_;
  int step_ = 0;
  int file_;
  int pipe_[2];
  Page page_[kPages];
  bool helped_ = false;
  int helped_page_ = 0;
  sem_t work_, done_;
};

struct Run {
  Window* window;
  int steps;
};

void* run_in_thread(void* argument) {
  auto* run = static_cast<Run*>(argument);
  run->window->run(run->steps);
  run->window->finish();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned seed = argc > 1 ? static_cast<unsigned>(atoi(argv[1])) : 1;
  const int steps = argc > 2 ? atoi(argv[2]) : 400;
  static Window window(seed);
  if (argc > 3) {
    Run run = {&window, steps};
    pthread_t thread;
    window.be_helped();
    if (pthread_create(&thread, nullptr, run_in_thread, &run) != 0) return 1;
    window.help();
    pthread_join(thread, nullptr);
  } else {
    window.run(steps);
  }
  printf("address_ops: seed %u, %d steps: ok\n", seed, steps);
  return 0;
}
