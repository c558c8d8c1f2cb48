#include "services/flock/secondary_ring.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <span>

#include "services/flock/packet_protection.h"

namespace radix::flock {
namespace {

// Big-endian, so that the numbers can be read off a key file.
constexpr std::size_t kNumberAt = 0;
constexpr std::size_t kEpochAt = 4;

std::uint32_t Read(const Key& key, std::size_t at) {
  return std::uint32_t{key[at]} << 24 | std::uint32_t{key[at + 1]} << 16 |
         std::uint32_t{key[at + 2]} << 8 | std::uint32_t{key[at + 3]};
}

void Write(std::uint32_t value, std::size_t at, Key& key) {
  for (std::size_t i = 0; i < 4; ++i) {
    key[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  }
}

// How much greater the number of `a` is than that of `b`.
std::int32_t Distance(const Key& a, const Key& b) {
  return static_cast<std::int32_t>(Read(a, kNumberAt) - Read(b, kNumberAt));
}

}  // namespace

SecondaryRing::SecondaryRing(const std::vector<Key>& keys)
    : current_{keys.front(), PacketProtection::TagOf(keys.front())} {
  assert(keys.size() <= kSecondaryKeysMax);
  for (const Key& key : std::span(keys).subspan(1)) {
    if (Find(PacketProtection::TagOf(key)) != nullptr) continue;
    const Entry entry{key, PacketProtection::TagOf(key)};
    const std::int32_t distance = Distance(key, current_.key);
    if (distance == 1 && !next_) {
      next_ = entry;
    } else if (distance == -1) {
      before_.insert(before_.begin(), entry);
    } else {
      before_.push_back(entry);
    }
  }
}

SecondaryRing::~SecondaryRing() {
  sodium_memzero(current_.key.data(), current_.key.size());
  if (next_) sodium_memzero(next_->key.data(), next_->key.size());
  for (Entry& entry : before_) sodium_memzero(entry.key.data(), entry.key.size());
}

RotationPhase SecondaryRing::phase() const {
  if (next_) return RotationPhase::kInstalled;
  return before_.size() > 1 ? RotationPhase::kUsed : RotationPhase::kIdle;
}

std::vector<SecondaryRing::Entry> SecondaryRing::All() const {
  std::vector<Entry> all = {current_};
  if (next_) all.push_back(*next_);
  all.insert(all.end(), before_.begin(), before_.end());
  return all;
}

const Key* SecondaryRing::Find(std::uint32_t tag) const {
  if (current_.tag == tag) return &current_.key;
  if (next_ && next_->tag == tag) return &next_->key;
  const auto found = std::ranges::find(before_, tag, &Entry::tag);
  return found == before_.end() ? nullptr : &found->key;
}

std::vector<Key> SecondaryRing::keys() const {
  std::vector<Key> keys;
  for (const Entry& entry : All()) keys.push_back(entry.key);
  return keys;
}

std::uint32_t SecondaryRing::version() const {
  std::uint32_t version = 0;
  for (const Entry& entry : All()) version = version * 31 + entry.tag;
  return version | 1;
}

void SecondaryRing::Install(std::uint64_t epoch, const Key& random) {
  assert(phase() == RotationPhase::kIdle);
  Key key = random;
  Write(Read(current_.key, kNumberAt) + 1, kNumberAt, key);
  Write(static_cast<std::uint32_t>(epoch), kEpochAt, key);
  next_ = Entry{key, PacketProtection::TagOf(key)};
}

void SecondaryRing::Use() {
  assert(phase() == RotationPhase::kInstalled);
  before_.insert(before_.begin(), current_);
  current_ = *next_;
  next_.reset();
}

void SecondaryRing::Remove() {
  assert(phase() == RotationPhase::kUsed);
  sodium_memzero(before_.back().key.data(), before_.back().key.size());
  before_.pop_back();
}

bool IsLater(const SecondaryRing& a, const SecondaryRing& b) {
  const Key& key_a = a.current().key;
  const Key& key_b = b.current().key;
  const bool a_knows = a.Find(b.current().tag) != nullptr;
  const bool b_knows = b.Find(a.current().tag) != nullptr;
  if (a_knows != b_knows) return a_knows;
  const std::int32_t distance = Distance(key_a, key_b);
  if (distance != 0) return distance > 0;
  if (key_a != key_b) return Read(key_a, kEpochAt) > Read(key_b, kEpochAt);
  if (a.phase() != b.phase()) return a.phase() > b.phase();
  if (a.next() && a.next()->tag != b.next()->tag) {
    return Read(a.next()->key, kEpochAt) > Read(b.next()->key, kEpochAt);
  }
  return a.keys().size() > b.keys().size();
}

}  // namespace radix::flock
