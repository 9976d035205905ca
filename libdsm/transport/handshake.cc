// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/handshake.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/os/socket.h"

namespace dsm::transport {
namespace {

constexpr size_t kMaxRecordBytes = sizeof(LinkHello) + kMaxGreetingBytes;

std::vector<std::byte> binding_of(const LinkHello& hello, Bytes greeting) {
  std::vector<std::byte> all(sizeof hello + greeting.size());
  std::memcpy(all.data(), &hello, sizeof hello);
  if (!greeting.empty()) std::memcpy(all.data() + sizeof hello, greeting.data(), greeting.size());
  return all;
}

// Words of somebody who has proved nothing yet, for the log.
std::string printable(Bytes text) {
  constexpr size_t kMaxShown = 200;
  std::string shown;
  for (std::byte b : text.first(std::min(text.size(), kMaxShown))) {
    const char c = static_cast<char>(b);
    shown += c >= ' ' && c <= '~' ? c : '?';
  }
  return shown;
}

}  // namespace

Handshake::Handshake(os::Reactor& reactor, const Authenticator& authenticator, os::Fd connecting,
                     const LinkHello& hello, Bytes greeting, TimeNs deadline, Done done)
    : reactor_(reactor), authenticator_(authenticator), role_(Role::kDialer), membership_{}, deadline_(deadline),
      state_(State::kConnecting), fd_(std::move(connecting)), hello_(hello),
      greeting_(greeting.begin(), greeting.end()), done_(std::move(done)) {
  DSM_CHECK(greeting.size() <= kMaxGreetingBytes);
  watch();
}

Handshake::Handshake(os::Reactor& reactor, const Authenticator& authenticator, os::Fd accepted,
                     const Membership& membership, Judge judge, TimeNs deadline, Done done)
    : reactor_(reactor), authenticator_(authenticator), role_(Role::kAcceptor), membership_(membership), deadline_(deadline),
      state_(State::kHello), fd_(std::move(accepted)), judge_(std::move(judge)), done_(std::move(done)) {
  os::set_stream_options(fd_.get());
  watch();
}

Handshake::~Handshake() { reactor_.unwatch(watch_); }

void Handshake::watch() {
  watch_ = reactor_.watch(fd_.get(), POLLIN | POLLOUT | POLLRDHUP, [this](uint32_t revents) { on_ready(revents); });
}

void Handshake::expire() {
  if (finished()) return;
  finish(Error{role_ == Role::kDialer && state_ == State::kConnecting ? "no answer to the connection attempt"
                                                                      : "did not finish its introduction in time",
               ETIMEDOUT});
}

void Handshake::on_ready(uint32_t) {
  if (state_ == State::kConnecting) {
    if (auto status = connected(); !status) return finish(status);
  }
  if (!finished()) {
    if (auto status = read_records(); !status) finish(status);
  }
}

Status Handshake::connected() {
  if (int error = os::connect_result(fd_.get())) return system_error("cannot connect", error);
  if (os::remote_address(fd_.get()).port == 0) return success();  // still under way
  os::set_stream_options(fd_.get());
  if (auto status = send(Record::kHello, binding_of(hello_, greeting_)); !status) return status;
  session_ = authenticator_.begin(Role::kDialer, binding_of(hello_, greeting_));
  state_ = State::kAuth;
  return on_auth({});
}

Status Handshake::read_records() {
  while (state_ != State::kConnecting && !finished()) {
    auto complete = read_record();
    if (!complete) return complete.error();
    if (!*complete) return success();
    RecordHead head;
    std::memcpy(&head, input_.data(), sizeof head);
    const std::vector<std::byte> record = std::exchange(input_, {});
    if (auto status = on_record(Record{head.type}, Bytes(record).subspan(sizeof head)); !status) return status;
  }
  return success();
}

// Reads exactly one record: what follows the last one belongs to others.
Result<bool> Handshake::read_record() {
  for (;;) {
    size_t wanted = sizeof(RecordHead);
    if (input_.size() >= sizeof(RecordHead)) {
      RecordHead head;
      std::memcpy(&head, input_.data(), sizeof head);
      if (head.bytes > kMaxRecordBytes) return Error{"does not speak this protocol", EPROTO};
      wanted += head.bytes;
      if (input_.size() == wanted) return true;
    }
    const size_t have = input_.size();
    input_.resize(wanted);
    const long n = os::receive_now(fd_.get(), std::span(input_).subspan(have));
    input_.resize(have + (n > 0 ? static_cast<size_t>(n) : 0));
    if (n == -EAGAIN) return false;
    if (n == 0) return Error{"closed the connection during its introduction", ECONNRESET};
    if (n < 0) return system_error("the connection broke during its introduction", static_cast<int>(-n));
  }
}

Status Handshake::on_record(Record type, Bytes body) {
  if (type == Record::kHello && state_ == State::kHello) return on_hello(body);
  if (type == Record::kAuth && state_ == State::kAuth && !body.empty()) return on_auth(body);
  const bool waits_for_verdict = role_ == Role::kDialer && (state_ == State::kAuth || state_ == State::kVerdict);
  if (type == Record::kVerdict && waits_for_verdict && (!body.empty() || state_ == State::kVerdict)) {
    if (!body.empty()) return Error{"refused: " + printable(body), EACCES};
    finish(success());
    return success();
  }
  return Error{"does not speak this protocol", EPROTO};
}

Status Handshake::on_hello(Bytes body) {
  if (body.size() < sizeof hello_) return Error{"does not speak this protocol", EPROTO};
  std::memcpy(&hello_, body.data(), sizeof hello_);
  if (std::string objection = membership_.objection_to(hello_); !objection.empty()) {
    Error why{std::move(objection), EPROTO};
    return hello_.magic == kLinkMagic ? refuse(std::move(why)) : why;
  }
  const Bytes greeting = body.subspan(sizeof hello_);
  greeting_.assign(greeting.begin(), greeting.end());
  session_ = authenticator_.begin(Role::kAcceptor, body);
  state_ = State::kAuth;
  return success();
}

Status Handshake::on_auth(Bytes body) {
  auto step = session_->advance(body);
  if (!step) return role_ == Role::kAcceptor ? refuse(step.error()) : step.error();
  if (!step->reply.empty()) {
    if (auto status = send(Record::kAuth, step->reply); !status) return status;
  }
  if (step->state == AuthSession::State::kContinue) return success();
  if (role_ == Role::kDialer) {
    state_ = State::kVerdict;
    return success();
  }
  const std::string refusal = judge_(hello_);
  if (auto status = send(Record::kVerdict, std::as_bytes(std::span(refusal))); !status) return status;
  if (!refusal.empty()) return Error{"was refused: " + refusal, EACCES};
  finish(success());
  return success();
}

// The other end is told, if it still listens; whether it hears it changes nothing here.
Error Handshake::refuse(Error why) {
  const std::string text = "this node " + why.what;
  (void)send(Record::kVerdict, std::as_bytes(std::span(text)));
  return why;
}

// A record is far smaller than an empty socket buffer: one that does not fit means a broken connection.
Status Handshake::send(Record type, Bytes body) {
  const RecordHead head{static_cast<uint32_t>(type), static_cast<uint32_t>(body.size())};
  const iovec parts[] = {{const_cast<RecordHead*>(&head), sizeof head},
                         {const_cast<std::byte*>(body.data()), body.size()}};
  const long n = os::send_now(fd_.get(), parts);
  if (n == static_cast<long>(sizeof head + body.size())) return success();
  return system_error("the connection broke during its introduction", n < 0 ? static_cast<int>(-n) : EPIPE);
}

void Handshake::finish(Status status) {
  DSM_CHECK(!finished());
  state_ = State::kFinished;
  reactor_.unwatch(watch_);
  if (status) done_(*this, Outcome{std::move(fd_), hello_, std::move(greeting_), session_->take_cipher()});
  else done_(*this, status.error());
}

}  // namespace dsm::transport
