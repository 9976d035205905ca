// SPDX-License-Identifier: Apache-2.0
// A man in the middle: accepts connections for a node and passes their bytes on, counting, changing, cutting or keeping
// them. Moves only when pump() is called.
#pragma once
#include <functional>
#include <vector>

#include "libdsm/os/socket.h"
#include "tests/unit/transport/recorder.h"

namespace dsm::transport::testing {

class Meddler {
 public:
  explicit Meddler(const Endpoint& target);
  Endpoint at() const { return at_; }
  void pump();

  // Called for each piece that goes towards the dialer (or the target). It may change the bytes; false cuts the connection.
  std::function<bool(size_t connection, bool to_dialer, std::vector<std::byte>& bytes)> meddle;
  size_t connections() const { return pairs_.size(); }

 private:
  struct Pair {
    os::Fd dialer, target;
    std::vector<std::byte> to_dialer, to_target;
  };
  bool move(size_t index, bool to_dialer);
  void accept_all();

  const Endpoint target_;
  os::Fd listener_;
  Endpoint at_;
  std::vector<Pair> pairs_;
};

}  // namespace dsm::transport::testing
