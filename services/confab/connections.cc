#include "services/confab/connections.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/confab/disconnect.h"

namespace radix::confab {
namespace {

// Of all that are gone.
std::shared_ptr<MessageTally> TallyOfTheGone() {
  static const auto gone = [] {
    auto tally = std::make_shared<MessageTally>();
    tally->ended = true;
    return tally;
  }();
  return gone;
}

}  // namespace

std::shared_ptr<const MessageTally> Connections::Add(const std::string& peer, std::uint64_t id,
                                                     Descriptor again) {
  auto tally = std::make_shared<MessageTally>();
  const std::lock_guard lock(mutex_);
  connections_.insert_or_assign(peer, Connection{id, std::move(again), tally, std::nullopt});
  return tally;
}

bool Connections::Remove(const std::string& peer, std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(peer);
  // Its port may have been used again before its end was seen.
  if (found == connections_.end() || found->second.id != id) return false;
  const bool known = found->second.shown.has_value();
  connections_.erase(found);
  return known;
}

std::shared_ptr<MessageTally> Connections::HandleCall(
    const std::string& peer, const std::function<std::optional<Shown>()>& read) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(peer);
  if (found == connections_.end()) {
    // gRPC got it from here, and may run what it had read of it later than its end is seen.
    return peer.starts_with("ip") ? TallyOfTheGone() : nullptr;
  }
  if (!found->second.shown) {
    found->second.shown = read();
    EndUnlessItMayStay(found->second);
  }
  return found->second.tally;
}

void Connections::HandleLetIn(const std::string& peer, const Shown& shown) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(peer);
  if (found == connections_.end()) return;
  found->second.shown = shown;
  EndUnlessItMayStay(found->second);
}

void Connections::End(const std::string& peer, std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(peer);
  if (found != connections_.end() && found->second.id == id) EndIt(found->second);
}

// With the lock held.
void Connections::EndIt(const Connection& connection) {
  connection.tally->ended = true;
  Disconnect(connection.again.get());
}

// It was let in before somebody was put out, and may be that one. With the lock held.
void Connections::EndUnlessItMayStay(const Connection& connection) {
  if (!may_stay_ || (connection.shown && may_stay_(*connection.shown))) return;
  EndIt(connection);
}

std::size_t Connections::Recheck(MayStay may_stay, Silent silent) {
  const std::lock_guard lock(mutex_);
  may_stay_ = std::move(may_stay);
  std::size_t ended = 0;
  for (const auto& [peer, connection] : connections_) {
    const bool stays = connection.shown ? may_stay_(*connection.shown) : silent == Silent::kCheck;
    if (stays) continue;
    EndIt(connection);
    ++ended;
  }
  return ended;
}

std::size_t Connections::size() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

bool Connections::HearsHost(const std::string& host) {
  return Ask("host " + host, [&] { return budget_.HearHost(host, Now()); }).ok();
}

Connections::Admission Connections::AdmitHost(const std::string& host) {
  const auto admitted = Ask("host " + host, [&] { return budget_.AdmitHost(host, Now()); });
  if (absl::IsUnavailable(admitted)) return Admission::kLater;
  return admitted.ok() ? Admission::kAdmitted : Admission::kRefused;
}

bool Connections::KnowsHost(const std::string& host) {
  const std::lock_guard lock(budget_mutex_);
  return budget_.Knows(host);
}

bool Connections::AdmitsKey(const KeyId& key) {
  return Ask("key " + key.ToString().substr(0, 16), [&] { return budget_.AdmitKey(key, Now()); })
      .ok();
}

absl::Status Connections::Ask(const std::string& who, const std::function<absl::Status()>& ask) {
  absl::Status admitted;
  {
    const std::lock_guard lock(budget_mutex_);
    admitted = ask();
  }
  if (!admitted.ok() && !absl::IsUnavailable(admitted)) {
    refusals_.Warn(absl::StrCat(who, " was refused: ", std::string(admitted.message())));
  }
  return admitted;
}

void Connections::NoStranger(const std::string& host) {
  const std::lock_guard lock(budget_mutex_);
  budget_.HandleLetIn(host, Now());
}

std::optional<Excess> Connections::Charge(const Peer& peer, Use use, double amount) {
  const std::lock_guard lock(budget_mutex_);
  return budget_.Charge(peer, use, amount, Now());
}

void Connections::HandleEnd(const Peer& peer, const TrafficLedger& ledger) {
  const std::lock_guard lock(budget_mutex_);
  budget_.HandleEnd(peer, ledger.open(), ledger.stray(), Now());
}

}  // namespace radix::confab
