// SPDX-License-Identifier: Apache-2.0
#include "tools/common/page_symbols.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <gelf.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace dsm::tools {
namespace {

using nlohmann::json;

constexpr uint64_t kPage = 4096;

struct Symbol {
  uint64_t begin, end;   // addresses as linked
  std::string name;
};

struct Segment {
  uint64_t offset, address, memory_bytes;
};

// Symbols and load segments of one ELF file, read once.
class ElfNames {
 public:
  explicit ElfNames(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    elf_version(EV_CURRENT);
    if (Elf* elf = elf_begin(fd, ELF_C_READ_MMAP, nullptr)) {
      read_segments(elf);
      read_symbols(elf);
      elf_end(elf);
    }
    close(fd);
  }

  // The address, as linked, of a byte that is mapped at `address`, for a mapping of `offset` at `start`.
  std::optional<uint64_t> linked_address(uint64_t address, uint64_t start, uint64_t offset) const {
    for (const auto& segment : segments_) {
      const uint64_t first = segment.offset / kPage * kPage;
      if (offset < first || offset > segment.offset + segment.memory_bytes) continue;
      const uint64_t linked_start = segment.address / kPage * kPage + (offset - first);
      const uint64_t linked = address - start + linked_start;
      if (linked < (segment.address + segment.memory_bytes + kPage - 1) / kPage * kPage) return linked;
    }
    return std::nullopt;
  }

  // "name+0x40, 3 more": what overlaps the page at this linked address, the largest first.
  std::string describe(uint64_t page) const {
    const Symbol* best = nullptr;
    size_t others = 0;
    for (const auto& symbol : symbols_) {
      if (symbol.begin >= page + kPage || symbol.end <= page) continue;
      if (best) ++others;
      if (!best || symbol.end - symbol.begin > best->end - best->begin) best = &symbol;
    }
    if (!best) return {};
    std::string text = best->name;
    if (page > best->begin) text += fmt::format("+{:#x}", page - best->begin);
    if (others) text += fmt::format(", {} more", others);
    return text;
  }

 private:
  void read_segments(Elf* elf) {
    size_t count = 0;
    if (elf_getphdrnum(elf, &count)) return;
    for (size_t i = 0; i < count; ++i) {
      GElf_Phdr header;
      if (gelf_getphdr(elf, static_cast<int>(i), &header) && header.p_type == PT_LOAD)
        segments_.push_back({header.p_offset, header.p_vaddr, header.p_memsz});
    }
  }

  void read_symbols(Elf* elf) {
    for (const unsigned wanted : {SHT_SYMTAB, SHT_DYNSYM}) {
      for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) || header.sh_type != wanted || !header.sh_entsize) continue;
        Elf_Data* data = elf_getdata(section, nullptr);
        for (size_t i = 0; data && i < header.sh_size / header.sh_entsize; ++i) add_symbol(elf, data, header, i);
      }
      if (!symbols_.empty()) return;
    }
  }

  void add_symbol(Elf* elf, Elf_Data* data, const GElf_Shdr& table, size_t index) {
    GElf_Sym symbol;
    if (!gelf_getsym(data, static_cast<int>(index), &symbol)) return;
    const auto type = GELF_ST_TYPE(symbol.st_info);
    if ((type != STT_OBJECT && type != STT_FUNC) || symbol.st_shndx == SHN_UNDEF || !symbol.st_size) return;
    if (const char* name = elf_strptr(elf, table.sh_link, symbol.st_name))
      symbols_.push_back({symbol.st_value, symbol.st_value + symbol.st_size, name});
  }

  std::vector<Segment> segments_;
  std::vector<Symbol> symbols_;
};

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The mapping of a file that reaches furthest up to the address: .bss follows the file's own pages.
const json* module_before(const json& modules, uint64_t address) {
  const json* best = nullptr;
  for (const auto& module : modules) {
    const uint64_t start = module.value("start", uint64_t{0});
    if (start <= address && (!best || start > best->value("start", uint64_t{0}))) best = &module;
  }
  return best;
}

}  // namespace

void name_pages(json& job) {
  const json modules = job.contains("modules") && job["modules"].is_array() ? job["modules"] : json::array();
  job.erase("modules");
  if (!job.contains("pages")) return;
  std::map<std::string, ElfNames> files;
  for (auto& page : job["pages"]) {
    const uint64_t address = page.value("addr", uint64_t{0});
    const json* module = module_before(modules, address);
    if (!module) continue;
    const std::string path = module->value("path", "");
    const ElfNames& names = files.try_emplace(path, path).first->second;
    const auto linked = names.linked_address(address, module->value("start", uint64_t{0}), module->value("offset", uint64_t{0}));
    const std::string symbol = linked ? names.describe(*linked) : "";
    if (!symbol.empty()) page["symbol"] = fmt::format("{} ({})", symbol, file_name(path));
  }
}

}  // namespace dsm::tools
