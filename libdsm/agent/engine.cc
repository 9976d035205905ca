// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/engine.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/os/clock.h"

namespace dsm::agent {
namespace {

// Runs up to this are copied by the transport when the socket is full; longer ones wait in their own buffer.
constexpr size_t kCopyBytes = 4 * kPageBytes;

}  // namespace

Engine::Engine(const coherence::CacheConfig& config, EngineHost& host, const Log& log)
    : self_(config.self),
      host_(host),
      log_(log),
      cache_(config, pagedir::ShardMap::uniform(config.nodes)),
      directory_(pagedir::DirectoryConfig{config.self, config.nodes}, pagedir::ShardMap::uniform(config.nodes)) {}

void Engine::attach(NodeMemory* memory, OriginSpace* space) {
  memory_ = memory;
  space_ = space;
}

// ---- Actions -------------------------------------------------------------------------------------------------

struct Engine::Executor {
  Engine& e;
  TimeNs now;

  fault::FaultSource& faults() { return e.memory_->faults(); }

  // Calls change(first, count) for the pieces that the fault source serves, and wakes who waits in the others: their
  // mapping changed meanwhile, and the access is decided anew.
  template <class Change>
  void for_registered(PageNo first, uint64_t count, bool wake_others, const char* what, Change change) {
    if (!e.space_) {
      e.check(change(first, count), what, first);
      return;
    }
    e.space_->for_each_piece(first, count, [&](PageNo at, uint64_t n, bool registered) {
      if (registered) e.check(change(at, n), what, at);
      else if (wake_others) e.check(faults().wake(at, n), "wake", at);
    });
  }

  void operator()(const coherence::Send& a) { e.send(a.dst, a.message, a.payload); }
  void operator()(const coherence::InstallPayload& a) {
    size_t offset = (a.page.value - e.payload_page_.value) * kPageBytes, bytes = a.count * kPageBytes;
    DSM_CHECK(a.page >= e.payload_page_ && offset + bytes <= e.payload_.size());
    e.check(e.memory_->pages().write(a.page, e.payload_.subspan(offset, bytes)), "write content", a.page);
  }
  void operator()(const coherence::MapPages& a) {
    for_registered(a.page, a.count, true, "map", [&](PageNo p, uint64_t n) {
      int error = faults().map(p, n, a.access);
      // A page of a native block that was dropped between fault and answer: the kernel fills the hole at the retry.
      bool dropped = error == -EFAULT && e.space_ && !e.space_->is_open(p.block());
      return dropped ? faults().wake(p, n) : error;
    });
    served(a.page, a.count);
  }
  void operator()(const coherence::ZeroFill& a) {
    for_registered(a.page, a.count, true, "zero-fill", [&](PageNo p, uint64_t n) { return faults().zero_fill(p, n, a.access); });
    served(a.page, a.count);
  }
  void operator()(const coherence::Unprotect& a) {
    for_registered(a.page, a.count, true, "unprotect", [&](PageNo p, uint64_t n) { return faults().unprotect(p, n); });
    served(a.page, a.count);
  }
  void operator()(const coherence::Protect& a) {
    for_registered(a.page, a.count, false, "protect", [&](PageNo p, uint64_t n) { return faults().protect(p, n); });
  }
  void operator()(const coherence::CaptureSent& a) {
    for (uint64_t i = 0; i < a.count; ++i)
      e.check(e.memory_->pages().read(a.page + i, e.memory_->sent().put(a.page + i)), "read content", a.page + i);
  }
  void operator()(const coherence::Zap& a) { e.check(faults().zap(a.page, a.count), "zap", a.page); }
  void operator()(const coherence::RestoreSent& a) {
    std::span<const std::byte> bytes = e.memory_->sent().get(a.page);
    DSM_CHECK(!bytes.empty());
    e.check(e.memory_->pages().write(a.page, bytes), "restore content", a.page);
  }
  void operator()(const coherence::ForgetSent& a) {
    for (uint64_t i = 0; i < a.count; ++i) e.memory_->sent().forget(a.page + i);
  }
  void operator()(const coherence::Wake& a) {
    e.check(faults().wake(a.page, 1), "wake", a.page);
    served(a.page, 1);
  }
  void operator()(const coherence::RaiseFault& a) {
    PageNo page = page_of(a.address);
    e.latency_.refused(page);
    // At the origin the kernel's own map decides: the access is repeated and gets its signal from there.
    if (e.space_) e.check(faults().wake(page, 1), "wake", page);
    else e.host_.raise_fault(a.thread, a.address, a.reason);
  }
  void operator()(const coherence::SamplePage& a) {
    e.cache_.on_sample(a.page, e.memory_->pages().digest(a.page), now, e.actions_);
  }
  void operator()(const coherence::OpenNative& a) {
    DSM_CHECK(e.space_ != nullptr);
    e.host_.drain_runtime();
    e.check(e.space_->open(a.block, faults()), "track", first_page(a.block));
    e.cache_.on_block_presence(a.block, e.space_->describe(a.block, e.memory_->pages()), now, e.actions_);
  }
  void operator()(const coherence::RefreshBlock& a) {
    DSM_CHECK(e.space_ != nullptr);
    e.host_.drain_runtime();
    e.cache_.on_block_presence(a.block, e.space_->describe(a.block, e.memory_->pages()), now, e.actions_);
  }
  void operator()(const coherence::RangeFinished& a) { e.finished_.push_back(a.id); }
  void operator()(const coherence::ProtocolError& a) { e.host_.protocol_violated(a.peer, a.what); }

  void served(PageNo first, uint64_t count) {
    if (e.latency_.waiting()) e.latency_.served(first, count, os::now_ns());
  }
};

void Engine::check(int error, const char* what, PageNo page) const {
  if (error == 0) return;
  char address[32];
  std::snprintf(address, sizeof address, "0x%lx", page.address());
  log_.error(std::string("cannot ") + what + " page " + address + ": " + std::strerror(-error));
  DSM_CHECK(error == 0);  // memory that we cannot change as agreed is memory that we would corrupt
}

void Engine::run_actions(TimeNs now) {
  // An action may append to the list (answers to OpenNative, SamplePage), so neither iterators nor references last.
  Executor executor{*this, now};
  for (size_t i = 0; i < actions_.size(); ++i) {
    coherence::Action action = actions_[i];
    std::visit(executor, action);
  }
  actions_.clear();
}

void Engine::send(NodeId dst, const wire::Message& message, const coherence::Payload& payload) {
  if (dst == self_) {
    DSM_CHECK(std::holds_alternative<coherence::NoPayload>(payload));
    local_.push_back({self_, self_, message});
    return;
  }
  if (auto* memory = std::get_if<coherence::FromMemory>(&payload)) {
    PayloadPool::Buffer buffer = pool_.take(memory->count * kPageBytes);
    check(memory_->pages().read(memory->page, buffer.bytes), "read content", memory->page);
    transport::Bytes slice = buffer.bytes;
    bool small = buffer.bytes.size() <= kCopyBytes;
    host_.send_to_peer(dst, message, {&slice, 1}, small ? kNoBuffer : buffer.id);
    if (small) pool_.give_back(buffer.id);
  } else if (auto* sent = std::get_if<coherence::FromSent>(&payload)) {
    std::vector<transport::Bytes> slices;
    for (uint64_t i = 0; i < sent->count; ++i) {
      slices.push_back(memory_->sent().get(sent->page + i));
      DSM_CHECK(!slices.back().empty());
    }
    host_.send_to_peer(dst, message, slices, kNoBuffer);
  } else {
    host_.send_to_peer(dst, message, {}, kNoBuffer);
  }
}

// ---- Events --------------------------------------------------------------------------------------------------

void Engine::deliver(const wire::Envelope& envelope, TimeNs now) {
  if (wire::is_for_directory(envelope.message)) {
    sends_.clear();
    if (auto error = directory_.on_message(envelope, now, sends_)) host_.protocol_violated(error->peer, error->what);
    for (const pagedir::Send& s : sends_) send(s.dst, s.message, coherence::NoPayload{});
  } else if (memory_ == nullptr) {
    host_.protocol_violated(envelope.src, "asked for memory before there is any");
  } else {
    cache_.on_message(envelope, now, actions_);
    run_actions(now);
  }
}

void Engine::run_local_queue(TimeNs now) {
  while (!local_.empty()) {
    wire::Envelope next = local_.front();
    local_.pop_front();
    deliver(next, now);
  }
}

void Engine::settle(TimeNs now) {
  run_actions(now);
  payload_ = {};
  run_local_queue(now);
  // The host may feed further events from here; each call of it settles by itself.
  while (!finished_.empty()) {
    RangeId id = finished_.back();
    finished_.pop_back();
    host_.range_finished(id);
  }
}

void Engine::on_fault(const fault::FaultEvent& event, TimeNs now) {
  if (space_ && space_->is_moving(event.page)) return;   // woken when its new place is there
  if (space_) {
    int error = 0;
    const bool filled = space_->fill_counted(event.page, memory_->pages(), memory_->faults(), error);
    check(error, "fill", event.page);
    if (filled) return;
  }
  latency_.begin(event.page, now);
  if (space_ && event.access == Access::kWrite)
    check(space_->fill_ahead(event.page, memory_->pages(), memory_->faults()), "fill ahead of", event.page);
  cache_.on_fault({event.page, event.access, event.thread, event.address}, now, actions_);
  settle(now);
}

void Engine::on_message(const wire::Envelope& envelope, std::span<const std::byte> payload, TimeNs now) {
  if (auto* data = std::get_if<wire::Data>(&envelope.message)) payload_page_ = data->page;
  payload_ = payload;
  deliver(envelope, now);
  settle(now);
}

void Engine::on_timer(TimeNs now) {
  cache_.on_timer(now, actions_);
  settle(now);
}

void Engine::on_thread_blocked(ThreadId thread, TimeNs now) {
  cache_.on_thread_blocked(thread, now, actions_);
  settle(now);
}

void Engine::evict(PageNo page, NodeId to, TimeNs now) {
  cache_.evict(page, to, now, actions_);
  settle(now);
}

void Engine::drop_range(RangeId id, PageRange range, wire::RangeOp op, TimeNs now) {
  cache_.drop_range(id, range, op, now, actions_);
  settle(now);
}

void Engine::wake(PageRange range) { check(memory_->faults().wake(range.first, range.count), "wake", range.first); }

void Engine::resume_range(RangeId id, TimeNs now) {
  cache_.resume_range(id, now, actions_);
  settle(now);
}

}  // namespace dsm::agent
