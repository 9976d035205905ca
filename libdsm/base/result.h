// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. Failures are ordinary here; callers pass them up, whoever decides logs them.
#pragma once
#include <string>
#include <utility>
#include <variant>

namespace dsm {

// What went wrong, in words for the person who reads the log, and the errno behind it (0: none).
struct Error {
  std::string what;
  int code = 0;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}   // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  T* operator->() { return &value(); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Unit {};
using Status = Result<Unit>;
inline Status success() { return Unit{}; }

// Error from errno: "what: strerror".
Error system_error(std::string what, int code);

}  // namespace dsm
