/* SPDX-License-Identifier: Apache-2.0 */
/* The families of checkpoint_kinds that are about files, memory and sockets. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/runtime/checkpoint_kinds.h"

/* ---- files ----------------------------------------------------------------------------------------------------- */
void files(void) {
  const int plain = open_text("plain", O_RDWR, "0123456789");
  must(lseek(plain, 4, SEEK_SET) == 4, "lseek");
  const int shared = dup(plain), apart = open(in_folder("plain"), O_RDONLY | O_CLOEXEC);
  const int far = fcntl(plain, F_DUPFD_CLOEXEC, 300);
  const int appended = open_text("appended", O_WRONLY | O_APPEND, "first ");
  const int listed = open(folder, O_RDONLY | O_DIRECTORY);
  const int null = open("/dev/null", O_RDWR);
  int pipe_fds[2], packet[2];
  must(pipe(pipe_fds) == 0 && pipe2(packet, O_NONBLOCK) == 0, "pipe");
  must(write(pipe_fds[1], "in the pipe", 11) == 11, "pipe");
  must(fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 17) == 1 << 17, "F_SETPIPE_SZ");
  const int memory = memfd_create("scratch", MFD_ALLOW_SEALING);
  must(write(memory, "nameless", 8) == 8 && lseek(memory, 4, SEEK_SET) == 4, "memfd");
  must(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) == 0, "seal");
  const int gone = open_text("gone", O_RDWR, "unlinked");
  must(unlink(in_folder("gone")) == 0 && lseek(gone, 2, SEEK_SET) == 2, "unlink");
  const int event = eventfd(7, EFD_NONBLOCK), semaphore = eventfd(3, EFD_SEMAPHORE);
  const int set = epoll_create1(EPOLL_CLOEXEC);
  const int locked = open_text("locked", O_RDWR, "0123456789"), unlocked = open(in_folder("locked"), O_RDWR);
  struct flock part = {.l_type = F_WRLCK, .l_start = 2, .l_len = 3}, own_part = {.l_type = F_RDLCK, .l_start = 7, .l_len = 0};
  must(flock(plain, LOCK_EX) == 0 && fcntl(locked, F_SETLK, &part) == 0 && fcntl(locked, F_OFD_SETLK, &own_part) == 0, "locks");
  struct epoll_event watch = {EPOLLIN, {.u64 = 0x123456789abcdef}};
  must(epoll_ctl(set, EPOLL_CTL_ADD, pipe_fds[0], &watch) == 0, "epoll_ctl");
  watch = (struct epoll_event){EPOLLIN | EPOLLET, {.u64 = 42}};
  must(epoll_ctl(set, EPOLL_CTL_ADD, packet[0], &watch) == 0, "epoll_ctl");

  checkpoint();

  show_flags("plain", plain);
  show_bytes("plain", plain);
  must(lseek(plain, 6, SEEK_SET) == 6, "lseek");
  show_bytes("shared with plain", shared);
  show_bytes("apart", apart);
  show_flags("apart", apart);
  show_flags("far", far);
  printf("far: number %d at %ld\n", far, (long)lseek(far, 0, SEEK_CUR));
  printf("flock: of another %d\n", flock(apart, LOCK_SH | LOCK_NB));
  part = (struct flock){.l_type = F_WRLCK, .l_start = 0, .l_len = 0};
  must(fcntl(unlocked, F_OFD_GETLK, &part) == 0, "F_OFD_GETLK");
  printf("locked: %s from %ld, %ld bytes\n", part.l_type == F_WRLCK ? "exclusive" : "shared", (long)part.l_start, (long)part.l_len);
  part = (struct flock){.l_type = F_WRLCK, .l_start = 5, .l_len = 0};
  must(fcntl(unlocked, F_OFD_GETLK, &part) == 0, "F_OFD_GETLK");
  printf("locked: %s from %ld, by an open file %d\n", part.l_type == F_RDLCK ? "shared" : "otherwise", (long)part.l_start, part.l_pid == -1);
  show_flags("appended", appended);
  must(write(appended, "second", 6) == 6, "append");
  const int again = open(in_folder("appended"), O_RDONLY);
  show_bytes("appended", again);
  show_flags("folder", listed);
  struct stat a, b;
  printf("folder: same %d\n", fstat(listed, &a) == 0 && stat(folder, &b) == 0 && a.st_ino == b.st_ino);
  printf("null: %zd\n", write(null, "x", 1));
  struct epoll_event ready[4];
  const int count = epoll_wait(set, ready, 4, 0);
  printf("epoll: %d ready, data %llx\n", count, count > 0 ? (unsigned long long)ready[0].data.u64 : 0);
  show_bytes("pipe", pipe_fds[0]);
  printf("pipe: capacity %d\n", fcntl(pipe_fds[0], F_GETPIPE_SZ));
  show_bytes("empty pipe", packet[0]);
  must(write(packet[1], "!", 1) == 1, "pipe");
  const int again_ready = epoll_wait(set, ready, 4, 0);
  printf("epoll: %d ready, data %llu\n", again_ready, (unsigned long long)ready[0].data.u64);
  show_bytes("memory", memory);
  printf("memory: seals %d\n", fcntl(memory, F_GET_SEALS));
  show_bytes("gone", gone);
  uint64_t value = 0;
  must(read(event, &value, 8) == 8, "eventfd");
  printf("event: %llu", (unsigned long long)value);
  printf(", then %zd\n", read(event, &value, 8));
  must(read(semaphore, &value, 8) == 8, "eventfd");
  printf("semaphore: %llu\n", (unsigned long long)value);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */
static unsigned sum(const unsigned char *from, size_t bytes) {
  unsigned total = 0;
  for (size_t i = 0; i < bytes; i++) total = total * 31 + from[i];
  return total;
}

static void fill(unsigned char *to, size_t bytes, unsigned seed) {
  for (size_t i = 0; i < bytes; i++) to[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
}

static void show_map(const void *address) {
  char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    unsigned long start, end;
    char rights[5];
    if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 && (unsigned long)address >= start && (unsigned long)address < end)
      printf("  mapped %s\n", rights);
  }
  if (maps != NULL) fclose(maps);
}

void memory(void) {
  enum { kPage = 4096, kBytes = 1 << 20 };
  unsigned char *private = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned char *sparse = mmap(NULL, 1ul << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  unsigned char *shared = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fill(private, kBytes, 1);
  sparse[700 << 20] = 77;
  fill(shared, kBytes, 2);
  must(mprotect(private, kPage, PROT_NONE) == 0 && mprotect(private + kPage, kPage, PROT_READ) == 0, "mprotect");
  /* From now on a child has the shared memory as well, so it is the kernel's. */
  const pid_t child = fork();
  if (child == 0) {
    shared[5] = 200;
    _exit(0);
  }
  must(child > 0 && waitpid(child, NULL, 0) == child, "fork");
  const int file = open_text("mapped", O_RDWR, "");
  must(ftruncate(file, 3 * kPage) == 0, "ftruncate");
  unsigned char *of_file = mmap(NULL, 3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  fill(of_file, 3 * kPage, 3);
  unsigned char *own_copy = mmap(NULL, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  own_copy[kPage] ^= 0xff;
  const int fixed = open_text("fixed", O_RDWR, "the text of a read-only mapping");
  const char *read_only = mmap(NULL, kPage, PROT_READ, MAP_PRIVATE, fixed, 0);
  const int removed = open_text("removed", O_RDWR, "of a file that is gone");
  const char *of_removed = mmap(NULL, kPage, PROT_READ, MAP_PRIVATE, removed, 0);
  must(unlink(in_folder("removed")) == 0, "unlink");
  close(file);
  close(fixed);
  close(removed);
  unsigned char *heap = sbrk(0);
  must(sbrk(3 * kPage) == heap, "sbrk");
  fill(heap, 3 * kPage, 4);
  char *allocated = malloc(100000);
  memset(allocated, 'm', 100000);

  checkpoint();

  must(mprotect(private, kPage, PROT_READ) == 0, "mprotect");
  printf("private %u\n", sum(private, kBytes));
  show_map(private + kPage);
  printf("sparse %d %d %d\n", sparse[0], sparse[700 << 20], sparse[(1 << 30) - 1]);
  printf("shared %u\n", sum(shared, kBytes));
  printf("shared file %u, own copy %u\n", sum(of_file, 3 * kPage), sum(own_copy, 3 * kPage));
  show_map(of_file);
  of_file[1] = 'x';
  const int again = open(in_folder("mapped"), O_RDONLY);
  char two[2] = {0, 0};
  must(pread(again, two, 2, 0) == 2, "pread");
  printf("through the mapping: %d\n", two[1] == 'x');
  must(madvise(own_copy, 3 * kPage, MADV_DONTNEED) == 0, "madvise");
  printf("own copy, read again: %u\n", sum(own_copy + kPage, 2 * kPage));
  printf("read only: %s, removed: %s\n", read_only, of_removed);
  show_map(read_only);
  printf("heap %u, ends where it did %d\n", sum(heap, 3 * kPage), sbrk(0) == heap + 3 * kPage);
  printf("malloc %c%c\n", allocated[0], allocated[99999]);
  free(allocated);
  char *more = malloc(1 << 20);
  memset(more, 1, 1 << 20);
  printf("malloc again %d, munmap %d\n", more[12345], munmap(sparse, 1ul << 30));
}

/* ---- sockets ------------------------------------------------------------------------------------------------------ */
static void *accept_one(void *socket) {
  const int taken = accept(*(int *)socket, NULL, NULL);
  show_bytes("accepted", taken);
  close(taken);
  return NULL;
}

static void talk_to(int listener, const struct sockaddr *address, socklen_t bytes) {
  pthread_t thread;
  must(pthread_create(&thread, NULL, accept_one, &listener) == 0, "pthread_create");
  const int client = socket(address->sa_family, SOCK_STREAM, 0);
  must(connect(client, address, bytes) == 0, "connect");
  must(write(client, "hello", 5) == 5, "write");
  close(client);
  pthread_join(thread, NULL);
}

void sockets(void) {
  const int inet = socket(AF_INET, SOCK_STREAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0), datagrams = socket(AF_INET, SOCK_DGRAM, 0),
            fresh = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, datagram_address = address;
  socklen_t bytes = sizeof address;
  must(bind(inet, (struct sockaddr *)&address, sizeof address) == 0 && listen(inet, 5) == 0, "bind");
  must(getsockname(inet, (struct sockaddr *)&address, &bytes) == 0, "getsockname");
  must(bind(datagrams, (struct sockaddr *)&datagram_address, sizeof datagram_address) == 0, "bind");
  must(getsockname(datagrams, (struct sockaddr *)&datagram_address, &bytes) == 0, "getsockname");
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  const char *path = in_folder("socket");
  must(strlen(path) < sizeof name.sun_path, "a shorter folder");
  memcpy(name.sun_path, path, strlen(path));
  must(bind(local, (struct sockaddr *)&name, sizeof name) == 0 && listen(local, 5) == 0, "bind");

  checkpoint();

  talk_to(inet, (struct sockaddr *)&address, sizeof address);
  talk_to(local, (struct sockaddr *)&name, sizeof name);
  const int sender = socket(AF_INET, SOCK_DGRAM, 0);
  must(sendto(sender, "datagram", 8, 0, (struct sockaddr *)&datagram_address, sizeof datagram_address) == 8, "sendto");
  show_bytes("datagrams", datagrams);
  show_flags("fresh", fresh);
  int domain = 0;
  bytes = sizeof domain;
  must(getsockopt(fresh, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0, "getsockopt");
  printf("fresh: IPv6 %d\n", domain == AF_INET6);
}
