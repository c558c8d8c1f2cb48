// SHA-256 checksums: the names of pastiche's files, and how they are computed.

#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct evp_md_ctx_st;  // OpenSSL's, named here so that its headers stay out of ours

namespace radix {

// The SHA-256 of some bytes.
struct Checksum {
  std::array<std::uint8_t, 32> bytes{};

  // Reads `sha256:HEX` or HEX alone, 64 hex digits of either case. InvalidArgument, quoting the
  // text and saying what is wrong with it, otherwise.
  static absl::StatusOr<Checksum> Parse(std::string_view text);

  // The 64 digits alone, in lower case: a file's name in a store.
  std::string Hex() const;

  // `sha256:HEX`, in lower case: how it is written everywhere else.
  std::string ToString() const;

  auto operator<=>(const Checksum&) const = default;
};

// Computes a checksum piece by piece. OpenSSL's, because it uses the processor's SHA instructions:
// five times as fast as libsodium's. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  // Takes in the next bytes.
  void Update(std::string_view data);

  // The checksum of all bytes taken in. Nothing may be called after it.
  Checksum Finish();

  // The checksum of `data`.
  static Checksum Of(std::string_view data);

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };

  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace radix
