// SPDX-License-Identifier: Apache-2.0
// What the memory cases share: accesses that may fault, threads that leave content on the other node, files.
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "conformance.h"

enum { kPage = 4096 };

static sigjmp_buf g_memory_escape;
static volatile sig_atomic_t g_memory_signal, g_memory_code;
static void* volatile g_memory_address;

static inline void memory_on_fault(int signal_number, siginfo_t* info, void* context) {
  (void)context;
  g_memory_signal = signal_number;
  g_memory_code = info->si_code;
  g_memory_address = info->si_addr;
  siglongjmp(g_memory_escape, 1);
}

static inline void catch_faults(void) {
  struct sigaction action = {0};
  action.sa_sigaction = memory_on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  NEED(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
}

static inline const char* fault_name(void* expected) {
  if (g_memory_address != expected) return "a fault at another address";
  if (g_memory_signal == SIGBUS) return g_memory_code == BUS_ADRERR ? "SIGBUS ADRERR" : "SIGBUS";
  return g_memory_code == SEGV_MAPERR ? "SIGSEGV MAPERR" : g_memory_code == SEGV_ACCERR ? "SIGSEGV ACCERR" : "SIGSEGV";
}

// "ok", or the signal that the access raised.
static inline const char* try_read(const void* address) {
  catch_faults();
  if (sigsetjmp(g_memory_escape, 1) != 0) return fault_name((void*)address);
  (void)*(const volatile char*)address;
  return "ok";
}

static inline const char* try_write(void* address, char value) {
  catch_faults();
  if (sigsetjmp(g_memory_escape, 1) != 0) return fault_name(address);
  *(volatile char*)address = value;
  return "ok";
}

struct MemoryFill {
  char* from;
  size_t bytes;
  char value;
};

static inline void* memory_fill_thread(void* argument) {
  struct MemoryFill* fill = argument;
  memset(fill->from, fill->value, fill->bytes);
  return NULL;
}

// Written by a thread of its own, which the placement puts on another node: so the newest bytes live there.
static inline void fill_elsewhere(void* from, size_t bytes, char value) {
  struct MemoryFill fill = {from, bytes, value};
  pthread_t thread;
  NEED(pthread_create(&thread, NULL, memory_fill_thread, &fill) == 0);
  NEED(pthread_join(thread, NULL) == 0);
}

static inline void* memory_read_thread(void* argument) { return (void*)try_read(argument); }

static inline const char* try_read_elsewhere(const void* address) {
  pthread_t thread;
  void* result;
  NEED(pthread_create(&thread, NULL, memory_read_thread, (void*)address) == 0);
  NEED(pthread_join(thread, &result) == 0);
  return result;
}

static inline void* memory_sum_thread(void* argument) {
  struct MemoryFill* fill = argument;
  uintptr_t sum = 0;
  for (size_t i = 0; i < fill->bytes; i++) sum = sum * 31 + (unsigned char)fill->from[i];
  return (void*)sum;
}

static inline uintptr_t sum_of(void* from, size_t bytes) {
  struct MemoryFill fill = {from, bytes, 0};
  return (uintptr_t)memory_sum_thread(&fill);
}

static inline uintptr_t sum_elsewhere(void* from, size_t bytes) {
  struct MemoryFill fill = {from, bytes, 0};
  pthread_t thread;
  void* sum;
  NEED(pthread_create(&thread, NULL, memory_sum_thread, &fill) == 0);
  NEED(pthread_join(thread, &sum) == 0);
  return (uintptr_t)sum;
}

static inline char* map_pages(size_t pages) {
  char* at = mmap(NULL, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NEED(at != MAP_FAILED);
  return at;
}

// Pages of address space with nothing in them, so that what is mapped inside has known neighbours.
static inline char* reserve_pages(size_t pages) {
  char* at = mmap(NULL, pages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  NEED(at != MAP_FAILED);
  return at;
}

static inline const char* map_outcome(void* result) { return result != MAP_FAILED ? "ok" : strerrorname_np(errno); }

// A file without a name; page k is filled with 'a' + k. `bytes` need not be whole pages.
static inline int make_file(size_t bytes) {
  char path[] = "/tmp/memory-case-XXXXXX";
  const int fd = mkstemp(path);
  NEED(fd >= 0 && unlink(path) == 0);
  char page[kPage];
  for (size_t at = 0; at < bytes; at += kPage) {
    memset(page, (int)('a' + at / kPage), kPage);
    const size_t piece = bytes - at < kPage ? bytes - at : kPage;
    NEED(write(fd, page, piece) == (ssize_t)piece);
  }
  return fd;
}
