// SPDX-License-Identifier: Apache-2.0
#include "libdsm/wire/codec.h"

#include <bit>

#include "libdsm/base/check.h"
#include "libdsm/wire/decode_bounds.h"
#include "libdsm/wire/wire_format.h"

namespace dsm::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "the byte form is the memory form of little-endian integers");

class Writer {
 public:
  explicit Writer(std::byte* at) : at_(at) {}
  template <class... F> void operator()(const F&... f) { (put(f), ...); }

 private:
  void raw(const void* bytes, size_t n) {
    std::memcpy(at_, bytes, n);
    at_ += n;
  }
  template <class T> void put(const T& v) requires(std::is_integral_v<T> || std::is_enum_v<T>) { raw(&v, sizeof v); }
  template <class T, class R> void put(const StrongId<T, R>& id) { put(id.value); }
  void put(const PageNo& p) { put(p.value); }
  void put(const PageRange& r) { put(r.first); put(r.count); }
  void put(const BlockBits& b) { for (unsigned i = 0; i < BlockBits::kWords; ++i) put(b.word(i)); }
  void put(const NodeSet& s) { for (unsigned i = 0; i < NodeSet::kWords; ++i) put(s.word(i)); }
  std::byte* at_;
};

// The length has been compared before, so reading cannot run over.
class Reader {
 public:
  explicit Reader(const std::byte* at) : at_(at) {}
  template <class... F> void operator()(F&... f) { (get(f), ...); }
  bool ok() const { return ok_; }

 private:
  void raw(void* bytes, size_t n) {
    std::memcpy(bytes, at_, n);
    at_ += n;
  }
  template <class T> void get(T& v) requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) { raw(&v, sizeof v); }
  template <class T> void get(T& v) requires std::is_enum_v<T> { raw(&v, sizeof v); }
  void get(bool& v) {
    uint8_t byte;
    raw(&byte, 1);
    ok_ = ok_ && byte <= 1;
    v = byte == 1;
  }
  template <class T, class R> void get(StrongId<T, R>& id) { get(id.value); }
  void get(NodeId& id) {
    get(id.value);
    ok_ = ok_ && id.value < kMaxNodes;
  }
  void get(PageNo& p) { get(p.value); }
  void get(PageRange& r) { get(r.first); get(r.count); }
  void get(BlockBits& b) { for (unsigned i = 0; i < BlockBits::kWords; ++i) get(b.word(i)); }
  void get(NodeSet& s) { for (unsigned i = 0; i < NodeSet::kWords; ++i) get(s.word(i)); }
  const std::byte* at_;
  bool ok_ = true;
};

template <class M>
bool decode_as(std::span<const std::byte> in, Message& out) {
  if (in.size() != format::wire_bytes<M>()) return false;
  Reader reader(in.data() + format::kHeaderBytes);
  M m{};
  format::fields(reader, m);
  if (!reader.ok() || !in_bounds(m)) return false;
  out = m;
  return true;
}

// Tries the alternative whose kind it is.
template <size_t I = 0>
bool decode_body(uint8_t kind, std::span<const std::byte> in, Message& out) {
  if constexpr (I < std::variant_size_v<Message>) {
    using M = std::variant_alternative_t<I, Message>;
    if (static_cast<uint8_t>(format::KindOf<M>::value) == kind) return decode_as<M>(in, out);
    return decode_body<I + 1>(kind, in, out);
  } else {
    return false;
  }
}

Error malformed(const char* what) { return Error{std::string("malformed message: ") + what, 0}; }

}  // namespace

size_t encode(const Envelope& envelope, std::span<std::byte> out) {
  // The receiver would take us for hostile; better to say here whose bug it is.
  std::visit([](const auto& m) { DSM_CHECK(in_bounds(m)); }, envelope.message);
  return encode_unchecked(envelope, out);
}

size_t encode_unchecked(const Envelope& envelope, std::span<std::byte> out) {
  return std::visit(
      [&]<class M>(const M& m) {
        constexpr size_t bytes = format::wire_bytes<M>();
        static_assert(bytes <= kMaxHeaderBytes);
        DSM_CHECK(out.size() >= bytes);
        Writer writer(out.data());
        writer(format::KindOf<M>::value, format::kFormatVersion, envelope.src, envelope.dst, static_cast<uint16_t>(bytes));
        format::fields(writer, m);
        return bytes;
      },
      envelope.message);
}

Result<Envelope> decode(std::span<const std::byte> in) {
  if (in.size() < format::kHeaderBytes) return malformed("shorter than a header");
  Reader reader(in.data());
  uint8_t kind = 0, version = 0;
  uint16_t bytes = 0;
  Envelope envelope{};
  reader(kind, version, envelope.src, envelope.dst, bytes);
  if (version != format::kFormatVersion) return malformed("unknown format version");
  if (!reader.ok() || bytes != in.size()) return malformed("bad header");
  if (!decode_body(kind, in, envelope.message))
    return malformed(("kind " + std::to_string(static_cast<unsigned>(kind)) + " of " + std::to_string(in.size()) +
                      " bytes: unknown kind, wrong length or field out of bounds").c_str());
  return envelope;
}

}  // namespace dsm::wire
