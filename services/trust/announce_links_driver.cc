#include "services/trust/announce_links_driver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"

namespace radix::trust {
namespace {

constexpr std::size_t kQueueMax = 64;
constexpr Duration kIdleLimit = 30s;

}  // namespace

AnnounceLinks::AnnounceLinks(const confab::Node& node, std::uint16_t port, Handlers handlers)
    : node_(node),
      port_(port),
      handlers_(std::move(handlers)),
      random_(confab::RandomNumber()),
      timer_([this](Instant now) { return Tick(now); }) {}

AnnounceLinks::~AnnounceLinks() {
  std::unique_lock lock(mutex_);
  ending_ = true;
  for (auto& [address, link] : links_) {
    if (link.stream != nullptr) link.stream->Cancel();
  }
  ended_.wait(lock, [this] {
    return std::ranges::all_of(links_,
                               [](const auto& each) { return each.second.stream == nullptr; });
  });
}

Instant AnnounceLinks::Tick(Instant now) {
  const std::lock_guard lock(mutex_);
  if (ending_) return Instant::max();
  for (const IpAddress& node : handlers_.nodes()) links_[node].wanted_at = now;
  Instant next = Instant::max();
  for (auto place = links_.begin(); place != links_.end();) {
    auto& [address, link] = *place;
    const bool idle = now >= link.wanted_at + kIdleLimit;
    if (idle && link.stream == nullptr) {
      place = links_.erase(place);
      continue;
    }
    if (idle) {
      link.stream->HalfClose();
    } else if (link.stream != nullptr) {
      SendNews(address, link);
    } else if (now >= link.not_before) {
      Connect(address, link, now);
    }
    next = std::min(next, link.stream != nullptr ? link.wanted_at + kIdleLimit : link.not_before);
    if (idle) next = std::max(next, now + kIdleLimit);  // its end wakes this thread
    ++place;
  }
  return next;
}

void AnnounceLinks::Connect(const IpAddress& to, Link& link, Instant now) {
  link.not_before = now + link.backoff.Next(random_);
  auto channel = confab::Dial(node_, Endpoint{to, port_}.ToString(), "reeve");
  if (!channel.ok()) {
    spdlog::error("reeve of {}: {}", to.ToString(), std::string(channel.status().message()));
    return;
  }
  link.stub = v1::PairingService::NewStub(*channel);
  link.stream = Stream::Create(kQueueMax);
  link.stub->async()->Announce(&link.stream->context(), link.stream.get());
  link.stream->Begin(
      {.on_message = [this,
                      to](const v1::AnnounceResponse& message) { HandleMessage(to, message); },
       .on_end = [this, to](const grpc::Status& status) { HandleEnd(to, status); }});
  handlers_.on_begin(to);
  SendNews(to, link);
}

void AnnounceLinks::SendNews(const IpAddress& to, Link& link) {
  while (auto news = handlers_.next(to)) {
    // Who does not read is as good as gone.
    if (!link.stream->Send(*std::move(news))) {
      link.stream->Cancel();
      return;
    }
  }
}

void AnnounceLinks::HandleMessage(const IpAddress& from, const v1::AnnounceResponse& message) {
  const std::lock_guard lock(mutex_);
  if (ending_) return;
  links_[from].backoff.Reset();
  handlers_.on_message(from, message);
}

void AnnounceLinks::HandleEnd(const IpAddress& from, const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  Link& link = links_[from];
  link.stream = nullptr;
  if (!ending_) {
    if (!status.ok()) spdlog::debug("reeve of {}: {}", from.ToString(), status.error_message());
    handlers_.on_end(from, status);
    timer_.Wake();
  }
  ended_.notify_all();
}

}  // namespace radix::trust
