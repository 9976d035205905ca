// SPDX-License-Identifier: Apache-2.0
// libdsm.so, first duty: `LD_PRELOAD=libdsm.so DSM_NODES=4 prog args` is `dsm-launch -n 4 -- prog args`.
//
// Execution context: a constructor inside the program's process, before main; libc is there. It replaces the process by
// dsm-launch and so has no second mechanism behind it. It does nothing without DSM_NODES, and dsm-launch removes both
// DSM_NODES and libdsm.so from the environment, so jobs never nest.
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
