#include "services/confab/flood_guard.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::confab {
namespace {

// So long a flood may be before it is seen: a thousand calls, or a megabyte.
constexpr Duration kLookEvery = 10ms;
// What came is compared when there is so much of it, which can be 400 calls, or so long after the
// last time: it takes 30 us.
constexpr std::uint64_t kCompareBytes = 4 << 10;
constexpr Duration kCompareEvery = 100ms;

// Of a connection that is there: false never happens.
bool ReadBytes(int socket, Traffic& traffic) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  traffic.bytes_received = info.tcpi_bytes_received;
  traffic.bytes_sent = info.tcpi_bytes_acked;
  return true;
}

}  // namespace

void FloodGuard::Add(std::uint64_t id, const std::string& peer, const std::string& host, int socket,
                     std::shared_ptr<const MessageTally> tally, Instant now) {
  watched_.emplace(id, Watched{.peer = peer,
                               .host = host,
                               .socket = socket,
                               .tally = std::move(tally),
                               .handle = std::nullopt,
                               .key = std::nullopt,
                               .ledger = {}});
  if (!next_look()) next_look_ = now + kLookEvery;
  strangers_.insert_or_assign(peer, id);
  places_of_strangers_.Take(host, id);
}

std::optional<Places::Place> FloodGuard::MostCrowdingStranger() {
  TakeLetIn();
  return places_of_strangers_.MostCrowding();
}

void FloodGuard::Remove(std::uint64_t id, bool known) {
  TakeLetIn();
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  const Watched& watched = found->second;
  if (!watched.handle && known) connections_->NoStranger(watched.host);
  connections_->HandleEnd({watched.host, watched.key}, watched.ledger);
  const auto stranger = strangers_.find(watched.peer);
  if (stranger != strangers_.end() && stranger->second == id) strangers_.erase(stranger);
  places_of_strangers_.Leave(watched.host, id);
  busy_.erase(id);
  watched_.erase(found);
}

void FloodGuard::HandleBusy(std::uint64_t id, Instant now) {
  if (!next_look()) next_look_ = now + kLookEvery;
  busy_.insert(id);
}

std::optional<Instant> FloodGuard::next_look() const {
  if (busy_.empty() && strangers_.empty()) return std::nullopt;
  return next_look_;
}

std::vector<std::uint64_t> FloodGuard::Look(Instant now) {
  next_look_ = now + kLookEvery;
  TakeLetIn();
  std::vector<std::uint64_t> quiet;
  for (const std::uint64_t id : busy_) {
    if (!LookAt(watched_.at(id), now)) quiet.push_back(id);
  }
  for (const std::uint64_t id : quiet) busy_.erase(id);
  return quiet;
}

void FloodGuard::TakeLetIn() {
  if (strangers_.empty()) return;
  for (const Transports::LetIn& each : transports_->TakeLetIn()) {
    const auto stranger = strangers_.find(each.peer);
    if (stranger == strangers_.end()) continue;
    Watched& watched = watched_.at(stranger->second);
    places_of_strangers_.Leave(watched.host, stranger->second);
    strangers_.erase(stranger);
    watched.handle = each.handle;
    connections_->NoStranger(watched.host);
    if (!each.shown) continue;
    watched.key = each.shown->key;
    connections_->HandleLetIn(each.peer, *each.shown);
  }
}

// Returns whether it is busy still.
bool FloodGuard::LookAt(Watched& watched, Instant now) {
  Traffic traffic;
  if (!ReadBytes(watched, traffic)) return false;
  const std::uint64_t came = traffic.bytes_received - watched.compared;
  if (came < kCompareBytes && now - watched.compared_at < kCompareEvery) return true;
  watched.compared = traffic.bytes_received;
  watched.compared_at = now;
  Compare(watched);
  return came > 0;
}

// False for one that was ended: the kernel begins to count anew with that.
bool FloodGuard::ReadBytes(const Watched& watched, Traffic& traffic) {
  if (watched.ended || watched.tally->ended || !confab::ReadBytes(watched.socket, traffic)) {
    return false;
  }
  return traffic.bytes_received >= watched.compared;  // or it was just now
}

void FloodGuard::Compare(Watched& watched) {
  Traffic traffic;
  if (watched.handle && !transports_->Count(*watched.handle, traffic)) return;
  traffic.messages = watched.tally->messages;
  traffic.message_bytes = watched.tally->bytes;
  if (!ReadBytes(watched, traffic)) return;
  const Booking booking = watched.ledger.Book(traffic);
  const Peer peer{watched.host, watched.key};
  for (const auto& [use, amount] : {std::pair(Use::kResets, booking.resets),
                                    {Use::kStreams, booking.streams},
                                    {Use::kStray, booking.stray}}) {
    if (amount == 0) continue;
    const auto excess = connections_->Charge(peer, use, amount);
    if (excess && !watched.ended) End(watched, *excess);
  }
}

// Whose excess it is, loses all its connections. Their open calls are given up with that: so a host
// that comes with one key after another soon has an excess of its own.
void FloodGuard::End(const Watched& watched, const Excess& excess) {
  // The whole key: somebody may want to revoke it.
  log_.Warn(absl::StrCat(watched.key ? "key " + watched.key->ToString() : "a stranger", " at ",
                         watched.peer, " was ended: ", excess.ToString()));
  std::optional<Excess> of_host;
  for (auto& [id, each] : watched_) {
    const bool is_theirs = &each == &watched ||
                           (excess.whose == Excess::Whose::kKey && each.key == watched.key) ||
                           (excess.whose == Excess::Whose::kHost && each.host == watched.host);
    if (!is_theirs || std::exchange(each.ended, true)) continue;
    connections_->End(each.peer, id);
    const auto also =
        connections_->Charge({each.host, std::nullopt}, Use::kResets, each.ledger.open());
    if (also && also->whose == Excess::Whose::kHost) of_host = also;
  }
  if (of_host && excess.whose == Excess::Whose::kKey) End(watched, *of_host);
}

}  // namespace radix::confab
