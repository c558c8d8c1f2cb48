// The keys that an endpoint lets in, as its own process knows them.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "services/confab/key_id.h"
#include "services/trust/pair.h"
#include "services/trust/revoked.h"

namespace radix::trust {

// Follows what the node's reeve says. While there is no reeve, and until one that was started again
// knows everybody, all stay that were let in before; but never what was revoked. Not thread-safe.
class Whitelist {
 public:
  // What reeve says at once.
  struct News {
    std::vector<Caller> callers;
    std::vector<KeyId> gone;
    std::vector<KeyId> forbidden;
    bool complete = false;  // who was not named on this stream is gone
    std::optional<Revoked> revoked;
  };

  // From here on reeve begins anew.
  void HandleStream() { named_.clear(); }

  // What became of those that were let in before.
  enum class Loss : std::uint8_t {
    kNone,
    kGone,       // some are not used any more
    kForbidden,  // some lost their right
  };
  Loss Handle(const News& news);

  // The endpoint may not serve any more: nobody is let in.
  Loss Clear();

  // Who has that key; nullptr, if it is not let in. Until the next news.
  const Caller* Find(const KeyId& key) const;

 private:
  std::size_t Erase(const KeyId& key);
  bool IsRevoked(const Caller& caller) const;

  std::map<KeyId, Caller> callers_;
  std::set<KeyId> named_;  // on this stream
  Revoked revoked_;
};

}  // namespace radix::trust
