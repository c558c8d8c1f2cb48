// All that the group decided, as one replicated value: the latest whole document wins.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

namespace radix::proctor {

// How many bytes a document's body may have.
inline constexpr std::size_t kBodyMax = std::size_t{2} << 20;

// One state of the group's decisions. A group that decided nothing has the default one: epoch 0,
// revision 0, and nothing in it.
struct Document {
  std::int64_t epoch = 0;     // under which it was last written
  std::int64_t revision = 0;  // grows by one with each change
  std::string checksum;       // SHA-256 of `body`, 32 bytes; empty at epoch 0
  std::string body;           // opaque here

  bool operator==(const Document&) const = default;

  // Makes a document, computing the checksum.
  static Document Make(std::int64_t epoch, std::int64_t revision, std::string body);

  // Whether `body` is what `checksum` says.
  bool IsIntact() const;
};

// Whether `a` is later than `b`: by epoch, then by revision.
inline bool IsLater(const Document& a, const Document& b) {
  return std::tie(a.epoch, a.revision) > std::tie(b.epoch, b.revision);
}

// The SHA-256 of `bytes`, as 32 bytes.
std::string Sha256(const std::string& bytes);

}  // namespace radix::proctor
