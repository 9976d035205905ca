// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/program_lookup.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "tools/common/exit_codes.h"

namespace dsm::tools {
namespace {

constexpr const char* kShell = "/bin/sh";

Program refuse(int status, std::string problem) { return {"", status, std::move(problem), "", false}; }

// Text as the shells judge it: no zero byte in the first line.
bool is_text_without_interpreter(const std::string& path) {
  char head[80];
  std::ifstream file(path, std::ios::binary);
  file.read(head, sizeof head);
  if (!file.is_open()) return false;
  const std::string_view text(head, static_cast<size_t>(file.gcount()));
  if (text.starts_with("#!") || text.starts_with(std::string_view(ELFMAG, SELFMAG))) return false;
  return !file.bad() && text.substr(0, text.find('\n')).find('\0') == std::string_view::npos;
}

// The folder is resolved, links and all; the name stays, since many programs look at it.
Program fit(const std::string& file) {
  std::error_code error;
  const std::filesystem::path given(file);
  const auto folder = std::filesystem::canonical(given.has_parent_path() ? given.parent_path() : ".", error);
  const std::string path = error ? std::filesystem::absolute(given).string() : (folder / given.filename()).string();
  return {path, 0, "", file, is_text_without_interpreter(file)};
}

// What is wrong with a file that exists; nothing if it looks fit.
std::optional<Program> unfit(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info)) return refuse(errno == ENOENT || errno == ENOTDIR ? kExitNotFound : kExitNotExecutable,
                                                path + ": " + std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return refuse(kExitNotExecutable, path + ": is a directory");
  if (access(path.c_str(), X_OK)) return refuse(kExitNotExecutable, path + ": " + std::strerror(errno));
  if (info.st_mode & (S_ISUID | S_ISGID))
    return refuse(kExitNotExecutable, path + ": is set-user-ID or set-group-ID; such programs cannot be distributed");
  Elf64_Ehdr header{};
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  const auto got = static_cast<size_t>(file.gcount());
  if (got < EI_NIDENT || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;   // a script: the runtime reads it
  if (header.e_ident[EI_CLASS] != ELFCLASS64)
    return refuse(kExitNotExecutable, path + ": is a 32-bit program; dsm runs 64-bit x86-64 programs");
  if (got < sizeof header || header.e_machine != EM_X86_64)
    return refuse(kExitNotExecutable, path + ": is not an x86-64 program");
  return std::nullopt;
}

}  // namespace

Program find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (auto problem = unfit(name)) return *problem;
    return fit(name);
  }
  const char* variable = std::getenv("PATH");
  const std::string search = variable ? variable : "/bin:/usr/bin";
  std::optional<Program> found_unfit;
  for (size_t begin = 0; begin <= search.size();) {
    const size_t end = std::min(search.find(':', begin), search.size());
    std::string folder = search.substr(begin, end - begin);
    if (folder.empty()) folder = ".";
    const std::string path = folder + "/" + name;
    if (access(path.c_str(), F_OK) == 0) {
      const auto problem = unfit(path);
      if (!problem) return fit(path);
      if (!found_unfit) found_unfit = problem;
    }
    begin = end + 1;
  }
  if (found_unfit) return *found_unfit;
  return refuse(kExitNotFound, name + ": not found in PATH");
}

Program find_command(std::vector<std::string>& command) {
  Program program = find_program(command[0]);
  if (!program.for_shell) return program;
  command[0] = program.file;
  command.insert(command.begin(), kShell);
  return find_program(kShell);
}

}  // namespace dsm::tools
