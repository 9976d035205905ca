// SPDX-License-Identifier: Apache-2.0
// Features that the program asks for and does not get. With -v each is named once on stderr, so that a user knows why a program
// took its slower way. Context: as dispatch.h says of handlers; at the origin, where vessels send what they refuse.
#pragma once
#include <stdint.h>

namespace dsm::runtime {

class Refusals {
 public:
  // The answer to the system call `number`: -error.
  int64_t refuse(int64_t number, int64_t error);

 private:
  uint32_t named_ = 0;   // atomic; a bit for each feature
};

}  // namespace dsm::runtime
