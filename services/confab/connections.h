// The connections that a server has, and who is at their other ends.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "services/confab/descriptor.h"
#include "services/confab/shown.h"

namespace radix::confab {

// gRPC 1.51 ends a connection only by its own will. So of each one that it gets there is a second
// descriptor here, by which it is shut down when its key is not to be believed any more.
// Thread-safe.
class Connections {
 public:
  // `peer` as gRPC names it, for example "ipv4:10.0.0.1:4242". `id` is another one for each
  // connection, and `again` a duplicate of its descriptor.
  void Add(const std::string& peer, std::uint64_t id, Descriptor again);
  // That one has ended.
  void Remove(const std::string& peer, std::uint64_t id);

  // `peer` makes a call. `read` says what it showed, and is asked at the first one only: to read a
  // certificate takes 0.1 ms.
  void HandleCall(const std::string& peer, const std::function<std::optional<Shown>()>& read);

  // Those that have not made a call yet: nobody knows what they showed.
  enum class Silent : std::uint8_t {
    kEnd,    // they may come back
    kCheck,  // when they call, which is soon enough where nobody lost a right, but gave it up
  };
  // Shuts down those that `may_stay` does not believe any more, and asks it again when one that
  // stays makes its first call. Returns how many it ended.
  using MayStay = std::function<bool(const Shown&)>;
  std::size_t Recheck(MayStay may_stay, Silent silent = Silent::kEnd);

  std::size_t size() const;

 private:
  struct Connection {
    std::uint64_t id = 0;
    Descriptor again;
    std::optional<Shown> shown;  // nullopt until its first call
  };

  mutable std::mutex mutex_;
  MayStay may_stay_;  // empty before the first Recheck
  std::map<std::string, Connection, std::less<>> connections_;
};

}  // namespace radix::confab
