// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/action_executor.h"

namespace dsm::sim {
namespace {

template <class F>
void each(PageNo page, uint64_t count, F&& f) {
  for (uint64_t i = 0; i < count; ++i) f(page + i);
}

std::string at(const char* what, PageNo page) { return std::string(what) + " page " + std::to_string(page.value); }

}  // namespace

std::vector<Token> ActionExecutor::load(const coherence::Payload& payload) {
  std::vector<Token> tokens;
  const auto take = [&](const std::optional<Token>& token, const char* what, PageNo page) {
    if (!token) failure_.report(at(what, page));
    tokens.push_back(token.value_or(kZero));
  };
  if (const auto* memory = std::get_if<coherence::FromMemory>(&payload))
    each(memory->page, memory->count, [&](PageNo p) { take(node_.memory_.content(p), "payload read from a hole,", p); });
  if (const auto* sent = std::get_if<coherence::FromSent>(&payload))
    each(sent->page, sent->count, [&](PageNo p) { take(node_.memory_.sent(p), "payload of no Sent bytes,", p); });
  return tokens;
}

void ActionExecutor::operator()(const coherence::Send& send) {
  std::vector<Token> payload = load(send.payload);
  if (payload.size() != wire::payload_pages(send.message))
    failure_.report("payload of " + std::to_string(payload.size()) + " pages with " + wire::to_string(send.message));
  node_.route({node_.id_, send.dst, send.message}, std::move(payload), effects_);
}

void ActionExecutor::operator()(const coherence::InstallPayload& install) {
  const auto* data = node_.current_ ? std::get_if<wire::Data>(&node_.current_->envelope.message) : nullptr;
  if (data == nullptr) return failure_.report(at("InstallPayload outside a Data message,", install.page));
  const uint64_t offset = install.page.value - data->page.value;
  if (offset + install.count > node_.current_->payload.size())
    return failure_.report(at("InstallPayload beyond the payload,", install.page));
  node_.installed_.push_back({install.page, install.count});
  for (uint64_t i = 0; i < install.count && !node_.current_->in_place; ++i)
    node_.memory_.install(install.page + i, node_.current_->payload[offset + i], failure_);
  touched(install.page, install.count);
}

void ActionExecutor::operator()(const coherence::MapPages& map) {
  each(map.page, map.count, [&](PageNo p) { node_.memory_.map(p, map.access, failure_); });
  touched(map.page, map.count);
  woken(map.page, map.count);
}

void ActionExecutor::operator()(const coherence::ZeroFill& fill) {
  each(fill.page, fill.count, [&](PageNo p) { node_.memory_.zero_fill(p, fill.access, failure_); });
  touched(fill.page, fill.count);
  woken(fill.page, fill.count);
}

void ActionExecutor::operator()(const coherence::Unprotect& unprotect) {
  each(unprotect.page, unprotect.count, [&](PageNo p) { node_.memory_.unprotect(p, failure_); });
  touched(unprotect.page, unprotect.count);
  woken(unprotect.page, unprotect.count);
}

void ActionExecutor::operator()(const coherence::Protect& protect) {
  each(protect.page, protect.count, [&](PageNo p) { node_.memory_.protect(p, failure_); });
  touched(protect.page, protect.count);
}

void ActionExecutor::operator()(const coherence::CaptureSent& capture) {
  each(capture.page, capture.count, [&](PageNo p) { node_.memory_.capture(p, failure_); });
}

void ActionExecutor::operator()(const coherence::Zap& zap) {
  node_.memory_.zap(zap.page, zap.count);
  touched(zap.page, zap.count);
  effects_.zapped.push_back({zap.page, zap.count});
}

void ActionExecutor::operator()(const coherence::RestoreSent& restore) {
  node_.memory_.restore(restore.page, failure_);
  touched(restore.page, 1);
}

void ActionExecutor::operator()(const coherence::ForgetSent& forget) {
  each(forget.page, forget.count, [&](PageNo p) { node_.memory_.forget(p); });
  effects_.zapped.push_back({forget.page, forget.count});
  touched(forget.page, forget.count);
}

void ActionExecutor::operator()(const coherence::Wake& wake) { woken(wake.page, 1); }

void ActionExecutor::operator()(const coherence::RaiseFault& raise) { effects_.refused.push_back(raise); }

void ActionExecutor::operator()(const coherence::SamplePage& sample) {
  node_.cache_.on_sample(sample.page, node_.memory_.content(sample.page).value_or(kZero), now_, node_.actions_);
}

void ActionExecutor::operator()(const coherence::OpenNative& open) {
  if (node_.id_ != kOrigin) return failure_.report("OpenNative outside the origin");
  node_.memory_.open_block(open.block);
  touched(first_page(open.block), kPagesPerBlock);
  (*this)(coherence::RefreshBlock{open.block});
}

void ActionExecutor::operator()(const coherence::RefreshBlock& refresh) {
  if (node_.id_ != kOrigin) return failure_.report("RefreshBlock outside the origin");
  node_.cache_.on_block_presence(refresh.block, map_.describe(refresh.block, node_.memory_.present(refresh.block)), now_,
                                 node_.actions_);
}

void ActionExecutor::operator()(const coherence::RangeFinished& range) { effects_.finished.push_back(range.id); }

void ActionExecutor::operator()(const coherence::ProtocolError& error) {
  failure_.report("cache of node " + std::to_string(node_.id_.value) + ": protocol error of node " +
                  std::to_string(error.peer.value) + ": " + error.what);
}

}  // namespace dsm::sim
