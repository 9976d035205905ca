// SPDX-License-Identifier: Apache-2.0
// The interface between dlopen_host and the plugin it loads.
#pragma once

#include "selfcheck.h"

class Plugin {
 public:
  virtual ~Plugin() = default;
  // Throws std::domain_error for one result in sixteen.
  virtual uint64_t transform(uint64_t value) = 0;
  virtual long calls_of_this_thread() const = 0;
};

extern "C" Plugin* make_plugin();
