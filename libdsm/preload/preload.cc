// SPDX-License-Identifier: Apache-2.0
// libdsm.so, first duty: `LD_PRELOAD=libdsm.so DSM_NODES=4 prog args` is `dsm-launch -n 4 -- prog args`.
//
// Execution context: a constructor inside the program's process, before main; libc is there. It replaces the process by
// dsm-launch and so has no second mechanism behind it. It does nothing without DSM_NODES. The library leaves LD_PRELOAD
// before the launcher starts, which is an ordinary dynamic program and would load it again, and does nothing in a
// launcher that the user started with it. dsm-launch removes DSM_NODES for the program, so jobs never nest.
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace {

// lib/libdsm.so -> bin/dsm-launch of the same installation.
bool launcher_path(char (&path)[PATH_MAX]) {
  Dl_info self;
  if (!dladdr(reinterpret_cast<void*>(&launcher_path), &self) || !self.dli_fname) return false;
  char library[PATH_MAX];
  if (!realpath(self.dli_fname, library)) return false;
  for (int level = 0; level < 2; ++level) {
    char* slash = strrchr(library, '/');
    if (!slash) return false;
    *slash = 0;
  }
  return snprintf(path, sizeof path, "%s/bin/dsm-launch", library) < static_cast<int>(sizeof path);
}

bool is_libdsm(const char* entry, size_t length) {
  static constexpr char kName[] = "libdsm.so";
  constexpr size_t kLength = sizeof kName - 1;
  if (length < kLength || strncmp(entry + length - kLength, kName, kLength) != 0) return false;
  return length == kLength || entry[length - kLength - 1] == '/';
}

// LD_PRELOAD without this library; other entries stay, in their order.
void leave_preload_list() {
  const char* list = getenv("LD_PRELOAD");
  char* kept = list ? static_cast<char*>(calloc(strlen(list) + 1, 1)) : nullptr;
  if (!kept) return;
  size_t size = 0;
  for (const char* at = list; *at;) {
    const size_t length = strcspn(at, ": ");
    if (length != 0 && !is_libdsm(at, length)) {
      if (size != 0) kept[size++] = ':';
      memcpy(kept + size, at, length);
      size += length;
    }
    at += length + (at[length] != 0);
  }
  if (size != 0) setenv("LD_PRELOAD", kept, 1);
  else unsetenv("LD_PRELOAD");
  free(kept);
}

__attribute__((constructor)) void enter_job(int argc, char** argv, char**) {
  const char* nodes = getenv("DSM_NODES");
  if (!nodes || !*nodes || argc < 1) return;
  char launcher[PATH_MAX], program[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  if (length <= 0 || !launcher_path(launcher)) {
    fprintf(stderr, "libdsm: cannot find dsm-launch beside this library\n");
    _exit(125);
  }
  program[length] = 0;
  leave_preload_list();
  if (strcmp(program, launcher) == 0) return;   // the user started it so; its agents inherit the shorter list
  auto** words = static_cast<const char**>(calloc(static_cast<size_t>(argc) + 8, sizeof(char*)));
  if (!words) _exit(125);
  int n = 0;
  words[n++] = launcher;
  words[n++] = "--argv0";
  words[n++] = argv[0];
  words[n++] = "--";   // DSM_NODES and the other DSM_* variables are read by dsm-launch itself
  words[n++] = program;
  for (int i = 1; i < argc; ++i) words[n++] = argv[i];
  execv(launcher, const_cast<char* const*>(words));
  fprintf(stderr, "libdsm: cannot run %s: %s\n", launcher, strerror(errno));
  _exit(125);
}

}  // namespace
