// SPDX-License-Identifier: Apache-2.0
// System calls on memory that is not here: read() and readv() into fresh and into foreign pages,
// writev() of pages that other threads wrote last, pipes between threads, and addresses that must
// give EFAULT. In each round thread t uses the buffers that thread t+1 used before.
//
//   absent_io [threads] [rounds] [work]      makes and removes absent_io.data in the current folder
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "selfcheck.h"

enum { kMostThreads = 8, kBytes = 1 << 20, kOdd = 1237 };

static const char* kPath = "absent_io.data";
static long g_threads, g_rounds, g_work;
static int g_file;
static unsigned char* g_buffers[kMostThreads];
static pthread_barrier_t g_round;
static int g_pipes[kMostThreads][2];

static unsigned char pattern(long round, long area, size_t i) {
  return (unsigned char)(mix64((uint64_t)(round * 64 + area)) >> (8 * (i % 7)) ^ (i >> 12));
}

static void meet(void) {
  int result = pthread_barrier_wait(&g_round);
  CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
}

// Writes a buffer as three pieces of odd sizes with one pwritev.
static void write_pieces(const unsigned char* data, off_t at) {
  struct iovec pieces[3] = {{(void*)data, kOdd},
                            {(void*)(data + kOdd), kBytes / 2},
                            {(void*)(data + kOdd + kBytes / 2), kBytes - kBytes / 2 - kOdd}};
  CHECK(pwritev(g_file, pieces, 3, at) == kBytes);
}

static void read_pieces(unsigned char* data, off_t at) {
  struct iovec pieces[2] = {{data, kBytes - kOdd}, {data + kBytes - kOdd, kOdd}};
  CHECK(preadv(g_file, pieces, 2, at) == kBytes);
}

static void* map_fresh(void) {
  void* p = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

static void expect_pattern(const unsigned char* data, long round, long area) {
  for (size_t i = 0; i < kBytes; i++) CHECK(data[i] == pattern(round, area, i));
}

// read(2) at the file position, into memory nobody has touched, in steps that cross pages.
static void read_into_fresh(long round, long area) {
  unsigned char* fresh = map_fresh();
  int own = open(kPath, O_RDONLY);
  CHECK(own >= 0);
  CHECK(lseek(own, area * (off_t)kBytes, SEEK_SET) == area * (off_t)kBytes);
  for (size_t done = 0; done < kBytes;) {
    size_t step = kBytes - done < 100003 ? kBytes - done : 100003;
    ssize_t n = read(own, fresh + done, step);
    CHECK(n > 0);
    done += (size_t)n;
  }
  expect_pattern(fresh, round, area);
  CHECK_ZERO(close(own));
  CHECK_ZERO(munmap(fresh, kBytes));
}

// A pipe to the next thread, from and into fresh pages.
static void pipe_round(long me, long round) {
  unsigned char* out = map_fresh();
  const size_t bytes = 40000;  // below the capacity of a pipe: nobody waits in a circle
  for (size_t i = 0; i < bytes; i++) out[i] = pattern(round, me, i);
  CHECK(write(g_pipes[me][1], out, bytes) == (ssize_t)bytes);
  unsigned char* in = map_fresh();
  long from = (me + 1) % g_threads;
  for (size_t done = 0; done < bytes;) {
    ssize_t n = read(g_pipes[from][0], in + done, bytes - done);
    CHECK(n > 0);
    done += (size_t)n;
  }
  for (size_t i = 0; i < bytes; i++) CHECK(in[i] == pattern(round, from, i));
  CHECK_ZERO(munmap(out, kBytes));
  CHECK_ZERO(munmap(in, kBytes));
}

// The unmapped place is far from where the kernel puts new mappings: nobody else gets it meanwhile.
static void expect_fault(long me) {
  char* gone = mmap((void*)(0x10000000000 + (me << 30)), kBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(gone != MAP_FAILED);
  char* read_only = map_fresh();
  CHECK_ZERO(munmap(gone, kBytes));
  CHECK_ZERO(mprotect(read_only, kBytes, PROT_READ));
  CHECK(pread(g_file, read_only, 100, 0) == -1 && errno == EFAULT);
  CHECK(write(g_pipes[me][1], gone, 100) == -1 && errno == EFAULT);
  CHECK_ZERO(munmap(read_only, kBytes));
}

static void* run(void* argument) {
  long me = (long)argument;
  uint64_t noise = (uint64_t)me;
  for (long round = 0; round < g_rounds; round++) {
    long area = (me + round) % g_threads;  // whose buffer and part of the file are mine now
    unsigned char* data = g_buffers[area];
    for (size_t i = 0; i < kBytes; i++) data[i] = pattern(round, area, i);
    meet();
    long other = (area + 1) % g_threads;  // last written by another thread
    write_pieces(g_buffers[other], other * (off_t)kBytes);
    noise = compute(noise, g_work);
    meet();
    read_into_fresh(round, area);
    memset(data, 0, kBytes);
    meet();
    read_pieces(g_buffers[other], other * (off_t)kBytes);
    expect_pattern(g_buffers[other], round, other);
    pipe_round(me, round);
    expect_fault(me);
    meet();
  }
  return (void*)noise;
}

int main(int argc, char** argv) {
  g_threads = number_argument(argc, argv, 1, 4);
  g_rounds = number_argument(argc, argv, 2, 12);
  g_work = number_argument(argc, argv, 3, 16000000);
  CHECK(g_threads >= 1 && g_threads <= kMostThreads);
  CHECK((g_file = open(kPath, O_RDWR | O_CREAT | O_TRUNC, 0600)) >= 0);
  CHECK_ZERO(pthread_barrier_init(&g_round, NULL, (unsigned)g_threads));
  pthread_t ids[kMostThreads];
  for (long t = 0; t < g_threads; t++) {
    g_buffers[t] = map_fresh();
    CHECK_ZERO(pipe(g_pipes[t]));
  }
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)t));
  uint64_t hash = 0;
  for (long t = 0; t < g_threads; t++) {
    void* noise = NULL;
    CHECK_ZERO(pthread_join(ids[t], &noise));
    hash = mix64(hash ^ (uint64_t)noise);
  }
  struct stat st;
  CHECK_ZERO(fstat(g_file, &st));
  CHECK(st.st_size == g_threads * (off_t)kBytes);
  for (long t = 0; t < g_threads; t++) {
    read_pieces(g_buffers[0], t * (off_t)kBytes);
    hash = mix64(hash ^ hash_bytes(g_buffers[0], kBytes));
  }
  CHECK_ZERO(unlink(kPath));
  printf("%ld rounds of %ld MiB, file %016llx ok\n", g_rounds, g_threads, (unsigned long long)hash);
  return 0;
}
