// SPDX-License-Identifier: Apache-2.0
#include "libdsm/base/result.h"

#include <system_error>

namespace dsm {

Error system_error(std::string what, int code) {
  return Error{std::move(what) + ": " + std::generic_category().message(code), code};
}

}  // namespace dsm
