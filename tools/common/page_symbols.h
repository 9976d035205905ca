// SPDX-License-Identifier: Apache-2.0
// Names for pages: which variable of which program or library lies on a page, from the ELF symbol tables.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace dsm::tools {

// Sets "symbol" ("counter+0x40, 3 more (prog)") of each of job["pages"] for which job["modules"] (objects with
// path, start, length, offset: the file mappings of the program) has a file with a matching symbol. A file that
// cannot be read names nothing. Removes job["modules"].
void name_pages(nlohmann::json& job);

}  // namespace dsm::tools
