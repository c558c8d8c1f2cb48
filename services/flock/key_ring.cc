#include "services/flock/key_ring.h"

#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "services/flock/packet_protection.h"

namespace radix::flock {
namespace {

// A node that merges more islands than this within one grace loses touch with the first ones,
// which then say HELLO.
constexpr std::size_t kRetiredMax = 16;

enum class Role : std::uint8_t { kPrevious = 1, kCurrent, kNext };

void EncodeKey(Role role, const std::optional<TransientKey>& key, Writer& out) {
  if (!key) return;
  out.U8(static_cast<std::uint8_t>(role));
  out.U64(key->id.epoch);
  out.U32(key->id.serial);
  out.Id(key->id.minter);
  out.Bytes(key->key);
}

}  // namespace

KeyRing::KeyRing(const Ranking& ranking, const KeyId& id, const Key& first, Duration grace,
                 Instant now)
    : ranking_(ranking),
      grace_(grace),
      current_(TransientKey{id, first, PacketProtection::TagOf(first)}),
      current_since_(now) {}

KeyRing::~KeyRing() {
  for (auto* key : {&previous_, &current_, &next_}) {
    if (*key) sodium_memzero((*key)->key.data(), (*key)->key.size());
  }
  for (Retired& retired : retired_) {
    sodium_memzero(retired.key.key.data(), retired.key.key.size());
  }
}

std::uint32_t KeyRing::version() const {
  std::uint32_t version = current_->tag;
  if (previous_) version = version * 31 + previous_->tag;
  if (next_) version = version * 37 + next_->tag;
  return version;
}

const Key* KeyRing::Find(std::uint32_t tag, Instant now) const {
  for (const auto* key : {&current_, &previous_, &next_}) {
    if (*key && (*key)->tag == tag) return &(*key)->key;
  }
  for (const Retired& retired : retired_) {
    if (retired.key.tag == tag && now < retired.until) return &retired.key.key;
  }
  return nullptr;
}

bool KeyRing::Holds(std::uint32_t tag) const {
  return std::ranges::any_of(
      std::initializer_list<const std::optional<TransientKey>*>{&previous_, &current_, &next_},
      [tag](const auto* key) { return *key && (*key)->tag == tag; });
}

void KeyRing::Retire(const std::optional<TransientKey>& key, Instant now, bool strange) {
  if (!key || Holds(key->tag)) return;
  std::erase_if(retired_, [&](const Retired& r) { return r.until <= now; });
  for (const Retired& retired : retired_) {
    if (retired.key.tag == key->tag) return;  // not prolonged
  }
  if (retired_.size() == kRetiredMax) {
    const auto first = std::ranges::find(retired_, true, &Retired::strange);
    retired_.erase(first == retired_.end() ? retired_.begin() : first);
  }
  retired_.push_back({*key, now + grace_, strange});
}

void KeyRing::Prepare(std::uint64_t epoch, const MemberId& minter, const Key& key) {
  assert(!next_);
  KeyId id{std::max(epoch, current_->id.epoch), current_->id.serial + 1, minter};
  if (id.serial == 0) ++id.epoch;
  next_ = TransientKey{id, key, PacketProtection::TagOf(key)};
}

void KeyRing::Advance(Instant now) {
  assert(next_);
  const std::optional<TransientKey> oldest = previous_;
  previous_ = current_;
  current_ = next_;
  next_.reset();
  current_since_ = now;
  Retire(oldest, now);
}

void KeyRing::Encode(Writer& out) const {
  out.U8(static_cast<std::uint8_t>((previous_ ? 1 : 0) + 1 + (next_ ? 1 : 0)));
  EncodeKey(Role::kPrevious, previous_, out);
  EncodeKey(Role::kCurrent, current_, out);
  EncodeKey(Role::kNext, next_, out);
}

std::optional<KeyRing::Slots> KeyRing::Decode(std::span<const std::uint8_t> encoded) {
  Reader in(encoded);
  Slots slots;
  const int count = in.U8();
  for (int i = 0; i < count && in.ok(); ++i) {
    const auto role = static_cast<Role>(in.U8());
    TransientKey key;
    key.id.epoch = in.U64();
    key.id.serial = in.U32();
    key.id.minter = in.Id();
    key.key = in.ReadKey();
    key.tag = PacketProtection::TagOf(key.key);
    switch (role) {
      case Role::kPrevious:
        slots.previous = key;
        break;
      case Role::kCurrent:
        slots.current = key;
        break;
      case Role::kNext:
        slots.next = key;
        break;
      default:
        return std::nullopt;
    }
  }
  if (!in.ok() || in.left() > 0 || !slots.current) return std::nullopt;
  return slots;
}

bool KeyRing::IsValid(std::span<const std::uint8_t> encoded) { return Decode(encoded).has_value(); }

std::optional<KeyRing::Slots> KeyRing::DecodePossible(std::span<const std::uint8_t> encoded) {
  const std::optional<Slots> slots = Decode(encoded);
  if (!slots) return std::nullopt;
  for (const auto* key : {&slots->previous, &slots->current, &slots->next}) {
    if (*key && ((*key)->id.epoch > kEpochMax || (*key)->id.serial > kSerialMax)) {
      return std::nullopt;
    }
  }
  return slots;
}

bool KeyRing::IsGreater(const KeyId& a, const KeyId& b) const {
  if (a.epoch != b.epoch) return a.epoch > b.epoch;
  if (a.serial != b.serial) return a.serial > b.serial;
  return ranking_.Before(a.minter, b.minter);
}

void KeyRing::Replace(const Slots& other, Instant now) {
  const Slots mine{previous_, current_, next_};
  previous_ = other.previous;
  current_ = other.current;
  next_ = other.next;
  current_since_ = now;
  for (const auto* key : {&mine.previous, &mine.current, &mine.next}) Retire(*key, now);
}

void KeyRing::AdmitSlots(const Slots& other, Instant now) {
  for (const auto* key : {&other.previous, &other.current, &other.next}) Retire(*key, now, true);
}

bool KeyRing::Adopt(std::span<const std::uint8_t> encoded, Instant now) {
  const std::optional<Slots> other = DecodePossible(encoded);
  if (!other) return false;
  if (other->current->tag != current_->tag) Replace(*other, now);
  return true;
}

bool KeyRing::Admit(std::span<const std::uint8_t> encoded, Instant now) {
  const std::optional<Slots> other = DecodePossible(encoded);
  if (!other) return false;
  AdmitSlots(*other, now);
  return true;
}

bool KeyRing::Follow(std::span<const std::uint8_t> encoded, Instant now) {
  const std::optional<Slots> other = Decode(encoded);
  if (!other) return false;
  if (other->current->tag != current_->tag) {
    Replace(*other, now);
    return true;
  }
  for (const auto& [mine, theirs] :
       {std::pair(&previous_, &other->previous), std::pair(&next_, &other->next)}) {
    const std::optional<TransientKey> dropped = std::exchange(*mine, *theirs);
    Retire(dropped, now);
  }
  return true;
}

bool KeyRing::Merge(std::span<const std::uint8_t> encoded, Instant now) {
  const std::optional<Slots> other = DecodePossible(encoded);
  if (!other) return false;
  if (other->current->tag == current_->tag) {
    if (other->next && (!next_ || IsGreater(other->next->id, next_->id))) {
      const std::optional<TransientKey> dropped = next_;
      next_ = other->next;
      Retire(dropped, now);
    }
    if (other->previous && !previous_) previous_ = other->previous;
    return true;
  }
  if (IsGreater(other->current->id, current_->id)) {
    Replace(*other, now);
  } else {
    AdmitSlots(*other, now);
  }
  return true;
}

}  // namespace radix::flock
