#include "services/confab/connections.h"

#include <sys/socket.h>

#include <utility>

namespace radix::confab {

void Connections::Add(const std::string& peer, std::uint64_t id, Descriptor again) {
  const std::lock_guard lock(mutex_);
  connections_.insert_or_assign(peer, Connection{id, std::move(again), std::nullopt});
}

void Connections::Remove(const std::string& peer, std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(peer);
  // Its port may have been used again before its end was seen.
  if (found != connections_.end() && found->second.id == id) connections_.erase(found);
}

void Connections::HandleCall(const std::string& peer,
                             const std::function<std::optional<Shown>()>& read) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(peer);
  if (found == connections_.end() || found->second.shown) return;
  found->second.shown = read();
  // It was let in before somebody was put out, and may be that one.
  if (!may_stay_ || (found->second.shown && may_stay_(*found->second.shown))) return;
  shutdown(found->second.again.get(), SHUT_RDWR);
}

std::size_t Connections::Recheck(MayStay may_stay, Silent silent) {
  const std::lock_guard lock(mutex_);
  may_stay_ = std::move(may_stay);
  std::size_t ended = 0;
  for (const auto& [peer, connection] : connections_) {
    const bool stays = connection.shown ? may_stay_(*connection.shown) : silent == Silent::kCheck;
    if (stays) continue;
    shutdown(connection.again.get(), SHUT_RDWR);
    ++ended;
  }
  return ended;
}

std::size_t Connections::size() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

}  // namespace radix::confab
