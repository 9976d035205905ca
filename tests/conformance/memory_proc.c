// SPDX-License-Identifier: Apache-2.0
// What /proc says about the program's own memory, and direct I/O.
#include <fcntl.h>
#include <inttypes.h>
#include <sys/uio.h>

#include "memory_support.h"

struct MapsLine {
  uintptr_t start, end;
  char rights[8], name[512];
  unsigned long offset, inode;
};

static int parse_line(const char* text, struct MapsLine* line) {
  int used = 0;
  char device[16];
  line->name[0] = 0;
  if (sscanf(text, "%" SCNxPTR "-%" SCNxPTR " %7s %lx %15s %lu %n", &line->start, &line->end, line->rights, &line->offset, device,
             &line->inode, &used) < 6)
    return 0;
  snprintf(line->name, sizeof line->name, "%s", text + used);
  line->name[strcspn(line->name, "\n")] = 0;
  return 1;
}

static int find_in(const char* path, const void* address, struct MapsLine* found) {
  FILE* file = fopen(path, "re");
  NEED(file != NULL);
  char text[1024];
  int hit = 0;
  uintptr_t last = 0;
  int sorted = 1;
  while (fgets(text, sizeof text, file) != NULL) {
    struct MapsLine line;
    if (!parse_line(text, &line)) {
      say("bad line %s", text);
      continue;
    }
    if (line.start < last || line.end <= line.start) sorted = 0;
    last = line.end;
    if ((uintptr_t)address >= line.start && (uintptr_t)address < line.end) {
      *found = line;
      hit = 1;
    }
  }
  fclose(file);
  if (!sorted) say("not sorted");
  return hit;
}

static void show(const char* what, const void* address) {
  struct MapsLine line;
  if (!find_in("/proc/self/maps", address, &line)) {
    say("%s: not there", what);
    return;
  }
  const char* slash = strrchr(line.name, '/');
  say("%s: %s %s", what, line.rights, slash != NULL ? slash + 1 : line.name);
}

static int g_data = 1;

CASE(maps_of_program) {
  show("code", (void*)(uintptr_t)show);
  show("data", &g_data);
  show("libc", (void*)(uintptr_t)getpid);
  char* heap = sbrk(0);
  NEED(sbrk(kPage) == heap);
  show("heap", heap);
  char here = 0;
  show("none of these", (void*)0x123456789000);
  show("runtime", (void*)0x558000000000);
  struct MapsLine line;
  NEED(find_in("/proc/self/maps", &here, &line));
  say("stack %s", line.rights);
}

CASE(maps_of_main_stack) {
  extern char** environ;
  show("stack", environ[0] != NULL ? (void*)environ[0] : (void*)environ);
}

CASE(maps_of_own_ranges) {
  char* at = map_pages(8);
  NEED(mprotect(at + kPage, kPage, PROT_READ) == 0 && mprotect(at + 3 * kPage, 2 * kPage, PROT_NONE) == 0);
  NEED(mprotect(at + 6 * kPage, kPage, PROT_READ | PROT_EXEC) == 0);
  for (int i = 0; i < 8; i++) {
    struct MapsLine line;
    NEED(find_in("/proc/self/maps", at + i * kPage, &line));
    say("page %d: %s, name '%s', inode %lu, offset %lu", i, line.rights, line.name, line.inode, line.offset);
  }
  struct MapsLine line;
  NEED(find_in("/proc/self/maps", at + 3 * kPage, &line));
  say("inaccessible: %d pages, begins %d", (int)((line.end - line.start) / kPage), line.start == (uintptr_t)at + 3 * kPage);
  NEED(munmap(at + kPage, kPage) == 0);
  say("unmapped: %d", find_in("/proc/self/maps", at + kPage, &line));
}

CASE(maps_of_files) {
  char path[] = "/tmp/memory-case-XXXXXX";
  const int fd = mkstemp(path);
  NEED(fd >= 0 && ftruncate(fd, 8 * kPage) == 0);
  const char* views[3] = {mmap(NULL, 2 * kPage, PROT_READ, MAP_PRIVATE, fd, 2 * kPage),
                          mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 3 * kPage),
                          mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4 * kPage)};
  for (int i = 0; i < 3; i++) {
    struct MapsLine line;
    NEED(views[i] != MAP_FAILED && find_in("/proc/self/maps", views[i] + kPage, &line));
    say("view %d: %s, offset %lu, name %d, inode %d", i, line.rights, line.offset / kPage, strcmp(line.name, path) == 0, line.inode != 0);
  }
  NEED(unlink(path) == 0);
  struct MapsLine line;
  NEED(find_in("/proc/self/maps", views[0], &line));
  say("deleted: %d", strstr(line.name, " (deleted)") != NULL);
}

CASE(maps_other_names) {
  char own[64], task[64];
  snprintf(own, sizeof own, "/proc/%d/maps", (int)getpid());
  snprintf(task, sizeof task, "/proc/self/task/%d/maps", (int)syscall(SYS_gettid));
  const char* paths[] = {own, task, "/proc/thread-self/maps", "/proc/self/smaps"};
  char* at = map_pages(3);
  NEED(mprotect(at, kPage, PROT_READ) == 0);
  for (int i = 0; i < 3; i++) {
    struct MapsLine line;
    NEED(find_in(paths[i], at, &line));
    say("%d: %s, runtime %d", i, line.rights, find_in(paths[i], (void*)0x558000000000, &line));
  }
}

CASE(maps_openat_and_reading_in_pieces) {
  const int folder = open("/proc/self", O_RDONLY | O_DIRECTORY);
  NEED(folder >= 0);
  const int fd = openat(folder, "maps", O_RDONLY);
  NEED(fd >= 0);
  char piece[64], line[64] = {0};
  size_t filled = 0;
  ssize_t got;
  while ((got = read(fd, piece, 7)) > 0)
    for (ssize_t i = 0; i < got; i++)
      if (filled + 1 < sizeof line) line[filled++] = piece[i];
  say("ends %d, begins like an address %d", got == 0, strchr(line, '-') != NULL);
  NEED(lseek(fd, 0, SEEK_SET) == 0);
  say("again %d", read(fd, piece, sizeof piece) > 0);
}

CASE(maps_have_vdso) {
  struct MapsLine line;
  FILE* file = fopen("/proc/self/maps", "r");
  NEED(file != NULL);
  char text[1024];
  int vdso = 0, stack = 0, heap = 0, foreign = 0;
  NEED(sbrk(kPage) != (void*)-1);
  while (fgets(text, sizeof text, file) != NULL) {
    NEED(parse_line(text, &line));
    vdso += strcmp(line.name, "[vdso]") == 0;
    stack += strcmp(line.name, "[stack]") == 0;
    heap += strcmp(line.name, "[heap]") == 0;
    foreign += strstr(line.name, "dsm") != NULL && strstr(line.name, "subjects") == NULL && strstr(line.name, "memory_proc") == NULL;
  }
  fclose(file);
  say("vdso %d, stack %d, heap %d, foreign %d", vdso, stack, heap > 0, foreign);
}

CASE(maps_stack_attributes) {
  pthread_attr_t attributes;
  void* low;
  size_t bytes;
  NEED(pthread_getattr_np(pthread_self(), &attributes) == 0 && pthread_attr_getstack(&attributes, &low, &bytes) == 0);
  const char here = 0;
  say("inside %d, %d MiB", &here >= (char*)low && &here < (char*)low + bytes, (int)((bytes + (1 << 20) - 1) >> 20));
}

CASE(smaps_of_own_range) {
  char* at = map_pages(16);
  NEED(mprotect(at + 15 * kPage, kPage, PROT_NONE) == 0);
  fill_elsewhere(at, 8 * kPage, 1);
  FILE* file = fopen("/proc/self/smaps", "r");
  NEED(file != NULL);
  char text[1024], key[64];
  struct MapsLine line;
  int inside = 0, keys = 0;
  long size = -1, resident = -1, value;
  while (fgets(text, sizeof text, file) != NULL) {
    if (sscanf(text, "%63[A-Za-z_]: %ld kB", key, &value) == 2) {
      keys += inside;
      if (inside && strcmp(key, "Size") == 0) size = value;
      if (inside && strcmp(key, "Rss") == 0) resident = value;
    } else if (parse_line(text, &line)) {
      inside = line.start <= (uintptr_t)at && line.end > (uintptr_t)at;
    }
  }
  fclose(file);
  say("size at least %d, resident known %d, keys %d", size >= 60, resident >= 0, keys > 5);
}

static int make_direct(void) {
  char path[] = "/var/tmp/memory-case-XXXXXX";
  const int fd = mkstemp(path);
  NEED(fd >= 0 && close(fd) == 0);
  const int direct = open(path, O_RDWR | O_DIRECT);
  say("open %s", outcome(direct));
  NEED(unlink(path) == 0 && direct >= 0);
  return direct;
}

CASE(direct_io) {
  const int fd = make_direct();
  char* at = map_pages(1024);
  fill_elsewhere(at, 1000 * kPage, 'd');
  say("write %d", (int)pwrite(fd, at, 1000 * kPage, 0));
  fill_elsewhere(at, 1024 * kPage, '-');
  say("read %d", (int)pread(fd, at + kPage, 1024 * kPage - kPage, 0));
  say("%c%c%c", at[0], at[kPage], at[1001 * kPage - 1]);
  say("small %d %c", (int)pread(fd, at, kPage, kPage), at[kPage - 1]);
  say("at the position: %d %d", (int)write(fd, at, kPage), (int)lseek(fd, 0, SEEK_CUR));
  say("no whole block %s", outcome(pread(fd, at, 100, 0)));
  say("unaligned place in the file %s", outcome(pread(fd, at, kPage, 100)));
  say("unaligned buffer %s", outcome(pread(fd, at + 1, 64 * kPage, 0)));
  say("bad address %s", outcome(pread(fd, (void*)0x123456789000, kPage, 0)));
  say("at the end %d, behind %d", (int)pread(fd, at, 2 * kPage, 999 * kPage), (int)pread(fd, at, kPage, 2000 * kPage));
}

CASE(direct_io_vectors) {
  const int fd = make_direct();
  char* at = map_pages(8);
  fill_elsewhere(at, 4 * kPage, 'v');
  const struct iovec from[2] = {{at, kPage}, {at + 2 * kPage, 2 * kPage}};
  say("write %d", (int)pwritev(fd, from, 2, 0));
  const struct iovec into[3] = {{at + 5 * kPage, 512}, {at, 0}, {at + 7 * kPage, kPage}};
  say("read %d, %c %c", (int)readv(fd, into, 3), at[5 * kPage + 511], at[8 * kPage - 1]);
  say("read with flags %d", (int)preadv2(fd, into + 2, 1, 2 * kPage, 0));
  say("position %d", (int)lseek(fd, 0, SEEK_CUR));
}

CASE(direct_io_flag) {
  const int fd = make_direct();
  say("opened %d", (fcntl(fd, F_GETFL) & O_DIRECT) != 0);
  say("off %s", outcome(fcntl(fd, F_SETFL, 0)));
  say("flag %d", (fcntl(fd, F_GETFL) & O_DIRECT) != 0);
  say("on %s", outcome(fcntl(fd, F_SETFL, O_DIRECT)));
  say("copy's flag %d", (fcntl(dup(fd), F_GETFL) & O_DIRECT) != 0);
}

// Two threads write halves of the same pages: one by direct reads, the other by plain stores. Neither loses a byte.
struct DirectSharing {
  int fd;
  char* at;
};

static void* store_plainly(void* argument) {
  const struct DirectSharing* shared = argument;
  for (int round = 1; round <= 30; round++)
    for (int page = 0; page < 16; page++) memset(shared->at + page * kPage + 2048, round, 2048);
  return NULL;
}

CASE(direct_io_beside_stores) {
  struct DirectSharing shared = {make_direct(), map_pages(16)};
  char* block = map_pages(1);
  memset(block, 'r', kPage);
  NEED(pwrite(shared.fd, block, kPage, 0) == kPage);
  pthread_t thread;
  NEED(pthread_create(&thread, NULL, store_plainly, &shared) == 0);
  int wrong = 0;
  for (int round = 0; round < 30; round++)
    for (int page = 0; page < 16; page++) {
      char* half = shared.at + page * kPage;
      memset(half, 0, 2048);
      if (pread(shared.fd, half, 2048, 0) != 2048) wrong++;
      for (int i = 0; i < 2048; i++) wrong += half[i] != 'r';
    }
  NEED(pthread_join(thread, NULL) == 0);
  for (int page = 0; page < 16; page++)
    for (int i = 2048; i < kPage; i++) wrong += shared.at[page * kPage + i] != 30;
  say("wrong bytes %d", wrong);
}

CONFORMANCE_MAIN
