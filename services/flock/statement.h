// What a member says under its own name, so that others can pass it on and nobody can invent it.
//
//   kind 1, count 1, author 12, incarnation 4, public key 32, accused (8 each), signature 64
//
// The Ed25519 signature covers all that stands before it, and the bloc. The public key travels with
// it: members know only its fingerprint.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "services/flock/config.h"
#include "services/flock/member.h"
#include "services/flock/packet_codec.h"

namespace radix::flock {

enum class StatementKind : std::uint8_t {
  kAccuses = 1,  // these did not answer me
  kHoldsDead,    // these I removed; not passed on, since who passes it on could say it himself
  kLeaves,       // good-bye; nobody is accused
};

// One of whom a statement speaks: of that boot and incarnation only.
struct Accused {
  std::uint32_t slot = 0;
  std::uint32_t check = 0;  // CheckOf its record
};

// A well-formed statement; whether its author made it, IsSigned tells. The spans point into the
// datagram.
struct Statement {
  static constexpr std::size_t kAccusedMax = 120;

  StatementKind kind = StatementKind::kAccuses;
  MemberId author;
  std::uint32_t incarnation = 0;  // the author's
  Key public_key{};
  std::span<const std::uint8_t> accused;  // 8 bytes each
  std::span<const std::uint8_t> bytes;    // all of it

  std::size_t accused_count() const { return accused.size() / 8; }
  Accused accused_at(std::size_t index) const;
};
inline constexpr std::size_t kStatementSizeMin = 2 + 12 + 4 + 32 + 64;
inline constexpr std::size_t kStatementSizeMax =
    kStatementSizeMin + Statement::kAccusedMax * std::size_t{8};

// The statement at the beginning of `bytes`; nullopt if there is none, or it is malformed.
std::optional<Statement> DecodeStatement(std::span<const std::uint8_t> bytes);

// Whether the holder of its public key signed it, for the bloc of `scope` (50 to 114 us).
bool IsSigned(const Statement& statement, std::uint64_t scope);

// Signs in the name of one node. Not thread-safe.
class Signer {
 public:
  // `identity_seed` is that of the node's Ed25519 key.
  Signer(const Key& identity_seed, std::uint64_t scope);
  ~Signer();
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  std::uint64_t scope() const { return scope_; }

  // Makes a statement of `author` (30 us). Requires: at most kAccusedMax are accused.
  std::vector<std::uint8_t> Sign(StatementKind kind, const MemberId& author,
                                 std::uint32_t incarnation, std::span<const Accused> accused) const;

 private:
  std::array<std::uint8_t, 64> secret_{};
  Key public_key_{};
  std::uint64_t scope_;
};

}  // namespace radix::flock
