// SPDX-License-Identifier: Apache-2.0
// mremap in all its forms, with content that the other node holds.
#include "memory_support.h"

static void* remap(void* old, size_t old_bytes, size_t new_bytes, int flags, void* place) {
  return mremap(old, old_bytes, new_bytes, flags, place);
}

CASE(remap_errors) {
  char* at = map_pages(8);
  say("unaligned: %s", map_outcome(remap(at + 1, kPage, kPage, 0, NULL)));
  say("new length 0: %s", map_outcome(remap(at, kPage, 0, 0, NULL)));
  say("unknown flag: %s", map_outcome(remap(at, kPage, kPage, 64, NULL)));
  say("fixed without maymove: %s", map_outcome(remap(at, kPage, kPage, MREMAP_FIXED, at + 4 * kPage)));
  say("fixed overlap: %s", map_outcome(remap(at, 4 * kPage, 4 * kPage, MREMAP_FIXED | MREMAP_MAYMOVE, at + kPage)));
  say("fixed unaligned: %s", map_outcome(remap(at, kPage, kPage, MREMAP_FIXED | MREMAP_MAYMOVE, at + 4 * kPage + 8)));
  say("dontunmap and resize: %s", map_outcome(remap(at, kPage, 2 * kPage, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, NULL)));
  say("dontunmap without maymove: %s", map_outcome(remap(at, kPage, kPage, MREMAP_DONTUNMAP, NULL)));
  say("old length 0 of private: %s", map_outcome(remap(at, 0, kPage, MREMAP_MAYMOVE, NULL)));
  say("huge: %s", map_outcome(remap(at, kPage, (size_t)1 << 60, MREMAP_MAYMOVE, NULL)));
  NEED(munmap(at + 6 * kPage, kPage) == 0);
  say("over a hole: %s", map_outcome(remap(at + 5 * kPage, 3 * kPage, 4 * kPage, MREMAP_MAYMOVE, NULL)));
  say("of nothing: %s", map_outcome(remap(at + 6 * kPage, kPage, 2 * kPage, MREMAP_MAYMOVE, NULL)));
  NEED(mprotect(at + kPage, kPage, PROT_READ) == 0);
  say("across ranges: %s", map_outcome(remap(at, 3 * kPage, 4 * kPage, MREMAP_MAYMOVE, NULL)));
}

CASE(remap_shrink) {
  char* at = map_pages(6);
  fill_elsewhere(at, 6 * kPage, 's');
  say("same place: %d", remap(at, 6 * kPage, 2 * kPage + 1, 0, NULL) == at);
  say("kept %c, %s, cut %s", at[3 * kPage - 1], try_read(at), try_read(at + 3 * kPage));
}

CASE(remap_grow_in_place) {
  char* at = reserve_pages(8);
  NEED(mmap(at, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
  fill_elsewhere(at, 2 * kPage, 'g');
  say("no room: %s", map_outcome(remap(at, 2 * kPage, 4 * kPage, 0, NULL)));
  NEED(munmap(at + 2 * kPage, 4 * kPage) == 0);
  say("room: %d", remap(at, 2 * kPage, 4 * kPage, 0, NULL) == at);
  say("%c %d %s", at[2 * kPage - 1], at[2 * kPage], try_write(at + 4 * kPage - 1, 1));
  say("middle of a range cannot: %s", map_outcome(remap(at, kPage, 2 * kPage, 0, NULL)));
}

CASE(remap_move) {
  char* at = reserve_pages(8);
  NEED(mmap(at, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
  fill_elsewhere(at, 3 * kPage, 'm');
  char* to = remap(at, 4 * kPage, 16 * kPage, MREMAP_MAYMOVE, NULL);
  NEED(to != MAP_FAILED);
  say("moved %d: %c %c %d %d, old %s", to != at, to[0], to[3 * kPage - 1], to[3 * kPage], to[15 * kPage], try_read(at));
  say("sums same: %d", sum_of(to, 16 * kPage) == sum_elsewhere(to, 16 * kPage));
}

CASE(remap_fixed) {
  char* at = map_pages(4);
  char* to = map_pages(6);
  fill_elsewhere(at, 4 * kPage, 'f');
  fill_elsewhere(to, 6 * kPage, 'o');
  say("there: %d", remap(at, 4 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to + kPage) == to + kPage);
  say("%c%c%c%c, old %s %s", to[0], to[kPage], to[2 * kPage], to[3 * kPage], try_read(at), try_read(at + 3 * kPage));
}

CASE(remap_fixed_protection_follows) {
  char* at = map_pages(2);
  char* to = reserve_pages(2);
  fill_elsewhere(at, 2 * kPage, 'r');
  NEED(mprotect(at, 2 * kPage, PROT_READ) == 0);
  NEED(remap(at, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
  say("%c, write %s, elsewhere %s", to[kPage], try_write(to, 1), try_read_elsewhere(to));
  char* none = reserve_pages(2);
  NEED(mprotect(to, 2 * kPage, PROT_NONE) == 0);
  NEED(remap(to, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, none) == none);
  say("none: %s", try_read(none));
  NEED(mprotect(none, 2 * kPage, PROT_READ) == 0);
  say("%c", none[kPage]);
}

CASE(remap_dontunmap) {
  char* at = map_pages(4);
  fill_elsewhere(at, 4 * kPage, 'd');
  char* to = remap(at, 4 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  NEED(to != MAP_FAILED && to != at);
  say("new %c %c, old %d %d %s", to[0], to[4 * kPage - 1], at[0], at[3 * kPage], try_write(at, 1));
  say("elsewhere %d", sum_elsewhere(at, 4 * kPage) == sum_of(at, 4 * kPage));
}

CASE(remap_part) {
  char* at = map_pages(6);
  for (int i = 0; i < 6; i++) fill_elsewhere(at + i * kPage, kPage, (char)('a' + i));
  char* to = remap(at + 2 * kPage, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE, NULL);
  NEED(to != MAP_FAILED);
  say("%c%c%c%c, new %c%c%d", at[0], at[kPage], at[4 * kPage], at[5 * kPage], to[0], to[kPage], to[2 * kPage]);
  say("hole %s %s", try_read(at + 2 * kPage), try_read(at + 3 * kPage));
}

CASE(remap_shared_file) {
  const int fd = make_file(6 * kPage);
  char* at = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  NEED(at != MAP_FAILED);
  char* to = remap(at, 2 * kPage, 6 * kPage, MREMAP_MAYMOVE, NULL);
  NEED(to != MAP_FAILED);
  say("%c %c", to[0], to[5 * kPage]);
  to[5 * kPage] = 'W';
  char value;
  NEED(pread(fd, &value, 1, 5 * kPage) == 1);
  say("file %c", value);
  char* twin = remap(to, 0, 2 * kPage, MREMAP_MAYMOVE, NULL);
  say("old length 0: %s", map_outcome(twin));
  if (twin != MAP_FAILED) {
    twin[0] = 'T';
    say("%c", to[0]);
  }
}

CASE(remap_read_only_file) {
  const int fd = make_file(6 * kPage);
  char* at = mmap(NULL, 2 * kPage, PROT_READ, MAP_PRIVATE, fd, kPage);
  NEED(at != MAP_FAILED);
  char* to = remap(at, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE, NULL);
  NEED(to != MAP_FAILED);
  say("%c %c, elsewhere same %d", to[0], to[3 * kPage], sum_of(to, 4 * kPage) == sum_elsewhere(to, 4 * kPage));
  char* place = reserve_pages(4);
  say("fixed %d", remap(to + kPage, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
  say("%c%c, left %c %c, hole %s", place[0], place[kPage], to[0], to[3 * kPage], try_read(to + kPage));
}

CASE(remap_private_file_grows) {
  const int fd = make_file(6 * kPage);
  char* at = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  NEED(at != MAP_FAILED);
  fill_elsewhere(at, 10, 'X');
  char* to = remap(at, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE, NULL);
  NEED(to != MAP_FAILED);
  say("%c%c%c%c", to[0], to[10], to[kPage], to[3 * kPage]);
}

CASE(remap_realloc_large) {
  size_t bytes = 1 << 20;
  char* at = malloc(bytes);
  NEED(at != NULL);
  for (int round = 0; round < 5; round++) {
    fill_elsewhere(at + bytes / 2, bytes / 2, (char)('0' + round));
    at = realloc(at, bytes *= 2);
    NEED(at != NULL);
  }
  say("%c %c %c", at[(1 << 20) - 1], at[(4 << 20) - 1], at[bytes / 2 - 1]);
  free(at);
}

CONFORMANCE_MAIN
