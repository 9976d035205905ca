// SPDX-License-Identifier: Apache-2.0
#include <cinttypes>
#include <cstdio>

#include "libdsm/coherence/actions.h"

namespace dsm::coherence {
namespace {

std::string run(const char* name, PageNo page, uint64_t count, const char* more = "") {
  char text[96];
  std::snprintf(text, sizeof text, "%s{%#" PRIx64 "+%" PRIu64 "%s}", name, page.value, count, more);
  return text;
}
std::string number(const char* name, uint64_t n) {
  char text[64];
  std::snprintf(text, sizeof text, "%s{%#" PRIx64 "}", name, n);
  return text;
}
const char* rights(Access a) { return a == Access::kRead ? " read" : " write"; }

struct Printer {
  std::string operator()(const Send& a) const {
    const char* payload = std::holds_alternative<FromMemory>(a.payload) ? " +memory"
                          : std::holds_alternative<FromSent>(a.payload) ? " +sent" : "";
    return "Send>" + std::to_string(a.dst.value) + " " + wire::to_string(a.message) + payload;
  }
  std::string operator()(const InstallPayload& a) const { return run("InstallPayload", a.page, a.count); }
  std::string operator()(const MapPages& a) const { return run("MapPages", a.page, a.count, rights(a.access)); }
  std::string operator()(const ZeroFill& a) const { return run("ZeroFill", a.page, a.count, rights(a.access)); }
  std::string operator()(const Unprotect& a) const { return run("Unprotect", a.page, a.count); }
  std::string operator()(const Protect& a) const { return run("Protect", a.page, a.count); }
  std::string operator()(const CaptureSent& a) const { return run("CaptureSent", a.page, a.count); }
  std::string operator()(const Zap& a) const { return run("Zap", a.page, a.count); }
  std::string operator()(const RestoreSent& a) const { return run("RestoreSent", a.page, 1); }
  std::string operator()(const ForgetSent& a) const { return run("ForgetSent", a.page, a.count); }
  std::string operator()(const Wake& a) const { return run("Wake", a.page, 1); }
  std::string operator()(const RaiseFault& a) const {
    return number("RaiseFault", a.address) + " thread " + std::to_string(a.thread.value) + " reason " +
           std::to_string(static_cast<unsigned>(a.reason));
  }
  std::string operator()(const SamplePage& a) const { return run("SamplePage", a.page, 1); }
  std::string operator()(const OpenNative& a) const { return number("OpenNative", a.block.value); }
  std::string operator()(const RefreshBlock& a) const { return number("RefreshBlock", a.block.value); }
  std::string operator()(const RangeFinished& a) const { return number("RangeFinished", a.id.value); }
  std::string operator()(const ProtocolError& a) const { return "ProtocolError{node " + std::to_string(a.peer.value) + ": " + a.what + "}"; }
};

}  // namespace

std::string to_string(const Action& action) { return std::visit(Printer{}, action); }

}  // namespace dsm::coherence
