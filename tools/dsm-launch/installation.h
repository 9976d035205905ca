// SPDX-License-Identifier: Apache-2.0
// Where the parts of this installation are, found from the running program: bin/dsmd and lib/dsm/dsm-runtime beside
// bin/dsm-launch, in the build tree as after `make install`.
#pragma once
#include <string>

#include "libdsm/base/result.h"

namespace dsm::tools {

struct Installation {
  std::string agent;      // dsmd
  std::string runtime;    // dsm-runtime
  std::string preload;    // libdsm.so; may be missing

  // Where the parts are on another host: below `prefix`, or where they are here if it is empty.
  Installation elsewhere(const std::string& prefix) const;
};

Result<Installation> find_installation();

}  // namespace dsm::tools
