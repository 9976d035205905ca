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

constexpr uint64_t page_down(uint64_t address) { return address / kPage * kPage; }

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

  // The address, as linked, of a byte mapped at `address` of a file whose first byte is mapped at `base`.
  std::optional<uint64_t> linked_address(uint64_t address, uint64_t base) const {
    const auto first = std::find_if(segments_.begin(), segments_.end(), [](const Segment& s) { return s.offset < kPage; });
    if (first == segments_.end()) return std::nullopt;
    const uint64_t linked = address - base + page_down(first->address);
    const bool loaded = std::any_of(segments_.begin(), segments_.end(), [&](const Segment& s) {
      return linked >= page_down(s.address) && linked < s.address + s.memory_bytes;
    });
    return loaded ? std::optional(linked) : std::nullopt;
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

// One of job["ranges"].
struct FileRange {
  uint64_t start, end, offset;
  std::string file;
};

class FileRanges {
 public:
  explicit FileRanges(const json& list) {
    for (const auto& range : list)
      ranges_.push_back({range.value("start", uint64_t{0}), range.value("end", uint64_t{0}), range.value("file_offset", uint64_t{0}),
                         range.value("file", "")});
    std::sort(ranges_.begin(), ranges_.end(), [](const FileRange& a, const FileRange& b) { return a.start < b.start; });
  }

  // The last one that begins at or below the address: .bss follows the pages of its file.
  const FileRange* before(uint64_t address) const {
    const auto next = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                       [](uint64_t value, const FileRange& range) { return value < range.start; });
    return next == ranges_.begin() ? nullptr : &*(next - 1);
  }

  // Where the loader has put the first byte of the file that `range` is part of. The offset of `range` itself does not tell
  // its segment: a page of a file often holds the end of one segment and the beginning of the next.
  std::optional<uint64_t> base_of(const FileRange* range) const {
    for (const FileRange* at = range; at >= ranges_.data(); --at)
      if (at->file == range->file && at->offset == 0) return at->start;
    return std::nullopt;
  }

 private:
  std::vector<FileRange> ranges_;
};

}  // namespace

void name_pages(json& job) {
  const FileRanges ranges(job.contains("ranges") && job["ranges"].is_array() ? job["ranges"] : json::array());
  job.erase("ranges");
  if (!job.contains("pages")) return;
  std::map<std::string, ElfNames> files;
  for (auto& page : job["pages"]) {
    const uint64_t address = page.value("addr", uint64_t{0});
    const FileRange* range = ranges.before(address);
    if (!range) continue;
    if (address < range->end) {
      page["file"] = range->file;
      page["file_offset"] = range->offset + (address - range->start);
    }
    const auto base = ranges.base_of(range);
    if (!base) continue;
    const ElfNames& names = files.try_emplace(range->file, range->file).first->second;
    const auto linked = names.linked_address(address, *base);
    const std::string symbol = linked ? names.describe(*linked) : "";
    if (!symbol.empty()) page["symbol"] = fmt::format("{} ({})", symbol, file_name(range->file));
  }
}

}  // namespace dsm::tools
