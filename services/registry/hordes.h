// Which nodes may serve in which horde: a horde is a named part of a flock, into which nodes are
// admitted.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace radix::registry {

// How a node stands to a horde.
enum class Standing : std::uint8_t {
  kOutside,   // nothing of the horde may run there, nor call from there
  kLeaving,   // what runs there may go on; nothing more is placed there
  kAdmitted,  // it serves in the horde
};

// One horde. Nodes are told apart by the fingerprints of their keys: who takes over an address or a
// name is another node. A value.
struct Horde {
  static constexpr std::size_t kNodesMax = 1024;

  // Of a node of which operators said something.
  struct Named {
    std::string node;  // what it was called then; for people
    Standing standing = Standing::kOutside;

    bool operator==(const Named&) const = default;
  };

  bool every_node = false;               // how all others stand: admitted, or outside
  std::map<std::uint64_t, Named> named;  // by fingerprint

  bool operator==(const Horde&) const = default;

  Standing StandingOf(std::uint64_t node) const;

  // Lets `node` stand so; what is as with all others is not kept.
  void Set(std::uint64_t node, const std::string& name, Standing standing);
  // The same for every node there is and will be.
  void SetAll(Standing standing);
};

// The hordes of a group. A value.
class Hordes {
 public:
  // How a group keeps a horde: as its decision of this kind, with the horde's name as key.
  static constexpr char kKind[] = "horde";
  static constexpr std::size_t kHordesMax = 256;

  // That of the basic services: every node is in it, and nobody can change that.
  static constexpr char kRadix[] = "radix";
  // That of whoever names none: every node is in it until operators decide otherwise.
  static constexpr char kDefault[] = "default";

  // These two.
  Hordes();

  bool operator==(const Hordes&) const = default;

  // Requires: IsName(name), of charter.h, and not kRadix.
  void Put(const std::string& name, Horde horde);

  // nullptr when there is none of that name.
  const Horde* Find(const std::string& name) const;
  const std::map<std::string, Horde>& all() const { return hordes_; }

  // Outside of hordes that do not exist is everybody.
  Standing StandingOf(const std::string& name, std::uint64_t node) const;
  // Whether what runs on that node may be of that horde.
  bool Has(const std::string& name, std::uint64_t node) const {
    return StandingOf(name, node) != Standing::kOutside;
  }

 private:
  std::map<std::string, Horde> hordes_;
};

}  // namespace radix::registry
