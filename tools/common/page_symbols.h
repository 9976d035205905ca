// SPDX-License-Identifier: Apache-2.0
// Names for pages: which variable of which program or library lies on a page, from the ELF symbol tables.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace dsm::tools {

// job["ranges"] is what the origin's agent knows of the program's file mappings (objects with start, end, file, file_offset).
// Sets of each of job["pages"] "file" and "file_offset" where it lies in one of them, and "symbol"
// ("counter+0x40, 3 more (prog)") where the file has one for it; .bss counts as part of its file. A file that cannot be
// read names nothing. Removes job["ranges"].
void name_pages(nlohmann::json& job);

}  // namespace dsm::tools
