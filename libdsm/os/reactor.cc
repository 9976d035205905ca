// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/reactor.h"

#include "libdsm/os/epoll_reactor.h"
#include "libdsm/os/uring_reactor.h"

namespace dsm::os {

Result<std::unique_ptr<Reactor>> make_reactor() {
  auto reactor = UringReactor::make();
  return reactor ? std::move(reactor) : EpollReactor::make();
}

}  // namespace dsm::os
