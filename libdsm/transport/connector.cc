// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/connector.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "libdsm/base/check.h"
#include "libdsm/os/clock.h"

namespace dsm::transport {
namespace {

constexpr int kBacklog = 256;
constexpr TimeNs kRetryNs = 10'000'000;

// Worth another attempt: nobody listens yet, or the way there is not up.
bool may_pass(int error) {
  return error == ECONNREFUSED || error == ENETUNREACH || error == EHOSTUNREACH || error == EHOSTDOWN ||
         error == ENETDOWN || error == EAGAIN || error == EADDRNOTAVAIL;
}

}  // namespace

Connector::Connector(os::Reactor& reactor, const Authenticator& authenticator, const Membership& membership,
                     const Limits& limits, ConnectorOwner& owner)
    : reactor_(reactor), authenticator_(authenticator), membership_(membership), limits_(limits), owner_(owner) {}

Connector::~Connector() { reactor_.unwatch(listener_watch_); }

Result<os::TcpAddress> Connector::listen(const os::TcpAddress& at) {
  DSM_CHECK(!listener_);
  auto listener = os::tcp_listen(at, kBacklog);
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  listener_watch_ = reactor_.watch(listener_.get(), POLLIN, [this](uint32_t) { on_incoming(); });
  return os::local_address(listener_.get());
}

void Connector::on_incoming() {
  for (;;) {
    auto accepted = os::tcp_accept(listener_.get());
    if (!accepted) return owner_.stranger(accepted.error());
    if (!*accepted) return;
    const std::string from = os::to_string(os::remote_address(accepted->get()));
    const auto waiting = std::count_if(callers_.begin(), callers_.end(), [](const auto& c) { return !c->finished(); });
    if (static_cast<size_t>(waiting) >= limits_.strangers) {
      owner_.stranger(Error{"turned away " + from + ": too many connections that have not introduced themselves", EMFILE});
      continue;
    }
    callers_.push_back(std::make_unique<Handshake>(
        reactor_, authenticator_, std::move(*accepted), membership_,
        [this](const LinkHello& hello) { return owner_.judge(hello); }, os::now_ns() + limits_.introduction_ns,
        [this, from](Handshake&, Result<Handshake::Outcome> outcome) {
          if (outcome) owner_.accepted(std::move(*outcome));
          else owner_.stranger(Error{"turned away " + from + ": it " + outcome.error().what, outcome.error().code});
        }));
  }
}

void Connector::dial(const os::TcpAddress& to, const LinkHello& hello, Bytes greeting, uint64_t cookie) {
  auto dial = std::make_unique<Dial>();
  dial->to = to;
  dial->hello = hello;
  dial->greeting.assign(greeting.begin(), greeting.end());
  dial->cookie = cookie;
  dial->deadline = os::now_ns() + limits_.dial_ns;
  dial->retry_at = 1;  // at the next timer, so that nothing is called back from here
  dials_.push_back(std::move(dial));
}

void Connector::attempt(Dial& dial) {
  dial.retry_at = 0;
  auto socket = os::tcp_connect(dial.to);
  if (!socket) return attempt_failed(dial, socket.error());
  if (dial.handshake) dial.spent.push_back(std::move(dial.handshake));
  dial.handshake = std::make_unique<Handshake>(
      reactor_, authenticator_, std::move(*socket), dial.hello, dial.greeting, dial.deadline,
      [this, &dial](Handshake&, Result<Handshake::Outcome> outcome) {
        if (outcome) finish(dial, std::move(outcome));
        else attempt_failed(dial, outcome.error());
      });
}

void Connector::attempt_failed(Dial& dial, const Error& error) {
  const TimeNs now = os::now_ns();
  if (may_pass(error.code) && now + kRetryNs < dial.deadline) dial.retry_at = now + kRetryNs;
  else finish(dial, error);
}

void Connector::finish(Dial& dial, Result<Handshake::Outcome> outcome) {
  if (dial.over) return;
  dial.over = true;
  dial.retry_at = 0;
  owner_.dialed(dial.cookie, std::move(outcome));
}

void Connector::cancel(uint64_t cookie) {
  for (auto& dial : dials_) {
    if (dial->cookie != cookie) continue;
    dial->over = true;
    dial->retry_at = 0;
  }
}

TimeNs Connector::next_deadline() const {
  TimeNs next = UINT64_MAX;
  for (const auto& dial : dials_)
    if (!dial->over) next = std::min({next, dial->retry_at ? dial->retry_at : UINT64_MAX, dial->deadline});
  for (const auto& caller : callers_)
    if (!caller->finished()) next = std::min(next, caller->deadline());
  return next;
}

void Connector::on_timer(TimeNs now) {
  // By index: callbacks may add to the lists.
  for (size_t i = 0; i < dials_.size(); ++i) {
    Dial& dial = *dials_[i];
    if (dial.over) continue;
    if (dial.retry_at != 0 && dial.retry_at <= now) attempt(dial);
    else if (dial.deadline <= now && dial.handshake) dial.handshake->expire();
  }
  for (size_t i = 0; i < callers_.size(); ++i)
    if (callers_[i]->deadline() <= now) callers_[i]->expire();
}

void Connector::sweep() {
  std::erase_if(dials_, [](const auto& dial) { return dial->over; });
  for (auto& dial : dials_) dial->spent.clear();
  std::erase_if(callers_, [](const auto& caller) { return caller->finished(); });
}

}  // namespace dsm::transport
