// SPDX-License-Identifier: Apache-2.0
// Mappings of files: private and shared, read and written, beyond the end, while the file changes.
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "memory_support.h"

static char* map_file(int fd, size_t bytes, int prot, int flags, off_t offset) {
  char* at = mmap(NULL, bytes, prot, flags, fd, offset);
  NEED(at != MAP_FAILED);
  return at;
}

static char byte_in_file(int fd, off_t offset) {
  char value = '?';
  NEED(pread(fd, &value, 1, offset) == 1);
  return value;
}

CASE(file_private_read) {
  const int fd = make_file(3 * kPage + 100);
  const char* at = map_file(fd, 3 * kPage + 100, PROT_READ, MAP_PRIVATE, 0);
  NEED(close(fd) == 0);
  say("%c%c%c%c, behind the end %d", at[0], at[kPage], at[2 * kPage], at[3 * kPage + 99], at[3 * kPage + 100]);
  say("same elsewhere: %d", sum_of((void*)at, 4 * kPage) == sum_elsewhere((void*)at, 4 * kPage));
  say("write: %s", try_write((char*)at, 1));
}

CASE(file_at_offset) {
  const int fd = make_file(6 * kPage);
  const char* at = map_file(fd, kPage + 17, PROT_READ, MAP_PRIVATE, 2 * kPage);
  say("%c %c %c", at[0], at[kPage], at[2 * kPage - 1]);
  char* copy = map_file(fd, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, 3 * kPage);
  say("%c %c", copy[0], copy[kPage]);
}

CASE(file_private_write_stays_private) {
  const int fd = make_file(4 * kPage);
  char* at = map_file(fd, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
  fill_elsewhere(at + kPage, kPage, 'X');
  at[0] = 'Y';
  say("memory %c%c%c, file %c%c", at[0], at[kPage], at[2 * kPage], byte_in_file(fd, 0), byte_in_file(fd, kPage));
}

CASE(file_beyond_end_read) {
  const int fd = make_file(kPage + 10);
  const char* at = map_file(fd, 4 * kPage, PROT_READ, MAP_PRIVATE, 0);
  say("last byte's page %s, next page %s, last %s", try_read(at + 2 * kPage - 1), try_read(at + 2 * kPage), try_read(at + 4 * kPage - 1));
  say("elsewhere: %s, %s", try_read_elsewhere(at + 2 * kPage - 1), try_read_elsewhere(at + 2 * kPage));
}

CASE(file_beyond_end_private_write) {
  const int fd = make_file(kPage + 10);
  char* at = map_file(fd, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
  say("in the file %s, behind %s, read behind %s", try_write(at + 2 * kPage - 1, 1), try_write(at + 2 * kPage, 1),
      try_read(at + 3 * kPage));
  say("elsewhere %s", try_read_elsewhere(at + 3 * kPage));
}

CASE(file_beyond_end_shared_write) {
  const int fd = make_file(kPage + 10);
  char* at = map_file(fd, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  say("in the file %s, behind %s, read behind %s", try_write(at + 2 * kPage - 1, 1), try_write(at + 2 * kPage, 1),
      try_read(at + 3 * kPage));
  struct stat status;
  NEED(fstat(fd, &status) == 0);
  say("size %ld", (long)status.st_size);
}

CASE(file_empty) {
  const int fd = make_file(0);
  const char* at = map_file(fd, kPage, PROT_READ, MAP_PRIVATE, 0);
  say("empty file: %s, elsewhere %s", try_read(at), try_read_elsewhere(at));
}

CASE(file_extended_after_read_mapping) {
  const int fd = make_file(kPage);
  const char* at = map_file(fd, 3 * kPage, PROT_READ, MAP_PRIVATE, 0);
  say("first %s, second %s", try_read(at), try_read(at + kPage));
  NEED(ftruncate(fd, 2 * kPage) == 0 && pwrite(fd, "new", 3, kPage) == 3);
  say("second %s", try_read(at + kPage));
  say("elsewhere second %s, third %s", try_read_elsewhere(at + kPage), try_read_elsewhere(at + 2 * kPage));
  say("%c", at[kPage]);
}

CASE(file_truncated_after_read_mapping) {
  const int fd = make_file(3 * kPage);
  const char* at = map_file(fd, 3 * kPage, PROT_READ, MAP_PRIVATE, 0);
  NEED(ftruncate(fd, kPage) == 0);
  say("first %s, second %s", try_read(at), try_read(at + kPage));
}

CASE(file_shared_follows_writes) {
  const int fd = make_file(2 * kPage);
  const char* at = map_file(fd, 2 * kPage, PROT_READ, MAP_SHARED, 0);
  say("%c", at[0]);
  NEED(pwrite(fd, "Z", 1, 0) == 1);
  say("%c", at[0]);
  char* writable = map_file(fd, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  writable[kPage] = 'W';
  say("%c %c", at[kPage], byte_in_file(fd, kPage));
}

CASE(file_shared_written_by_child) {
  const int fd = make_file(2 * kPage);
  char* at = map_file(fd, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  at[0] = 'P';
  const pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    at[1] = at[0] == 'P' ? 'C' : '-';
    _exit(0);
  }
  int status;
  NEED(waitpid(child, &status, 0) == child);
  say("%c%c, file %c", at[0], at[1], byte_in_file(fd, 1));
}

CASE(file_shared_write_moves_home_and_goes_on) {
  const int fd = make_file(kPage);
  char* shared = map_file(fd, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  char* own = map_pages(4);
  volatile long sum = 0;
  for (int round = 0; round < 50; round++) {
    shared[round] = (char)round;
    own[round * 100] = (char)round;
    sum += shared[round] + own[round * 100];
  }
  fill_elsewhere(shared + 100, 10, 'q');
  say("sum %ld, file %d %c", sum, byte_in_file(fd, 49), byte_in_file(fd, 105));
}

CASE(file_msync) {
  const int fd = make_file(2 * kPage);
  char* at = map_file(fd, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  at[0] = 'S';
  say("sync: %s, async: %s, invalidate: %s", outcome(msync(at, 2 * kPage, MS_SYNC)), outcome(msync(at, kPage, MS_ASYNC)),
      outcome(msync(at, kPage, MS_ASYNC | MS_INVALIDATE)));
  say("both: %s", outcome(msync(at, kPage, MS_SYNC | MS_ASYNC)));
  say("unknown flag: %s", outcome(msync(at, kPage, 64)));
  say("unaligned: %s", outcome(msync(at + 1, kPage, MS_SYNC)));
  say("length 0: %s", outcome(msync(at, 0, MS_SYNC)));
  char* anonymous = map_pages(3);
  anonymous[0] = 1;
  say("anonymous: %s", outcome(msync(anonymous, 3 * kPage, MS_SYNC)));
  NEED(munmap(anonymous + kPage, kPage) == 0);
  say("hole: %s", outcome(msync(anonymous, 3 * kPage, MS_SYNC)));
  say("%c", byte_in_file(fd, 0));
}

CASE(file_private_of_changing_file) {
  const int fd = make_file(2 * kPage);
  char* at = map_file(fd, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
  at[0] = 'm';   // from here on this page is the mapping's own
  NEED(pwrite(fd, "fff", 3, 0) == 3);
  say("%c%c", at[0], at[1]);
}

CASE(file_made_writable) {
  const int fd = make_file(4 * kPage);
  char* at = map_file(fd, 4 * kPage, PROT_READ, MAP_PRIVATE, 0);
  say("sum same elsewhere: %d", sum_of(at, 4 * kPage) == sum_elsewhere(at, 4 * kPage));
  say("middle writable: %s", outcome(mprotect(at + kPage, 2 * kPage, PROT_READ | PROT_WRITE)));
  fill_elsewhere(at + kPage, 10, 'v');
  say("%c%c%c%c, first %s, last %s", at[0], at[kPage], at[kPage + 10], at[3 * kPage], try_write(at, 1), try_write(at + 3 * kPage, 1));
  say("read-only again: %s", outcome(mprotect(at, 4 * kPage, PROT_READ)));
  say("%c, %s, elsewhere %s", at[kPage], try_write(at + kPage, 1), try_read_elsewhere(at + kPage));
  say("file %c", byte_in_file(fd, kPage));
}

CASE(file_executable_mapping) {
  const int fd = make_file(kPage);
  const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};   // mov $42, %eax; ret
  NEED(pwrite(fd, code, sizeof code, 0) == (ssize_t)sizeof code);
  int (*function)(void) = (int (*)(void))(uintptr_t)map_file(fd, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0);
  say("%d", function());
}

CASE(file_memfd) {
  const int fd = memfd_create("case", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  NEED(fd >= 0 && ftruncate(fd, 4 * kPage) == 0);
  char* one = map_file(fd, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  char* two = map_file(fd, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  fill_elsewhere(one, kPage, 'd');
  two[kPage] = 'e';
  say("%c %c, file %c", two[0], one[kPage], byte_in_file(fd, 100));
  say("seal while mapped: %s", outcome(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)));
  NEED(munmap(one, 4 * kPage) == 0 && munmap(two, 4 * kPage) == 0);
  say("seal: %s", outcome(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)));
  say("map sealed: %s", map_outcome(mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)));
  say("private of sealed: %s", map_outcome(mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)));
}

CASE(file_posix_shm) {
  char name[64];
  snprintf(name, sizeof name, "/memory-case-%d", (int)getpid());
  const int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  NEED(fd >= 0 && ftruncate(fd, 2 * kPage) == 0);
  char* at = map_file(fd, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
  fill_elsewhere(at, 2 * kPage, 's');
  const int again = shm_open(name, O_RDWR, 0);
  NEED(again >= 0);
  say("%c, unlink %s", byte_in_file(again, kPage), outcome(shm_unlink(name)));
  say("madvise dontneed keeps: %s %c", outcome(madvise(at, kPage, MADV_DONTNEED)), at[1]);
  say("remove punches: %s %d %c", outcome(madvise(at, kPage, MADV_REMOVE)), at[1], at[kPage]);
}

CASE(file_sysv) {
  const int id = shmget(IPC_PRIVATE, 2 * kPage + 10, IPC_CREAT | 0600);
  NEED(id >= 0);
  char* one = shmat(id, NULL, 0);
  const char* two = shmat(id, NULL, SHM_RDONLY);
  NEED(one != (void*)-1 && two != (void*)-1);
  fill_elsewhere(one, 3 * kPage, 'v');
  say("%c, write through the read-only one: %s", two[2 * kPage], try_write((char*)two, 1));
  struct shmid_ds status;
  NEED(shmctl(id, IPC_STAT, &status) == 0);
  say("attached %d, bytes %d", (int)status.shm_nattch, (int)status.shm_segsz);
  say("detach inside: %s", outcome(shmdt(one + kPage)));
  say("detach: %s, %s, again %s", outcome(shmdt(one)), outcome(shmdt(two)), outcome(shmdt(one)));
  say("gone: %s", try_read(one));
  say("remove: %s, bad id: %s", outcome(shmctl(id, IPC_RMID, NULL)), shmat(-1, NULL, 0) == (void*)-1 ? strerrorname_np(errno) : "ok");
}

CASE(file_read_into_foreign_pages) {
  const int fd = make_file(8 * kPage);
  char* at = map_pages(8);
  fill_elsewhere(at, 8 * kPage, 1);
  say("read %d", (int)pread(fd, at + 100, 7 * kPage, 50));
  say("%d %c %c %d", at[99], at[100], at[100 + 7 * kPage - 1], at[100 + 7 * kPage]);
  fill_elsewhere(at, kPage, '#');
  say("write %d, file %c", (int)pwrite(fd, at, kPage, kPage), byte_in_file(fd, 2 * kPage - 1));
}

CONFORMANCE_MAIN
