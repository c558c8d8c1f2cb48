#include "tests/fuzz/victim.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "services/flock/introduction_codec.h"
#include "services/flock/lease.h"

namespace radix::fuzz {
namespace {

// What one call may make it send, and hold, at most. An authenticated member may ask for 280
// records and half a dozen answers; nobody for more.
constexpr std::size_t kSentMax = 64;
constexpr std::size_t kMemoryMax = 128 * 1024;
// Wake-ups that make no time pass would be a busy loop.
constexpr int kWakesMax = 2000;

flock::Config ConfigOf(const Charter& charter, const flock::Key& secondary_key) {
  flock::Config config;
  config.charter = charter;
  config.slot = kVictimSlot;
  config.boot = 0x7669637469'6d;
  config.identity_seed = flock::Key{1};
  config.secondary_keys = {secondary_key};
  config.entropy = flock::Key{2};
  config.has_disk = true;
  config.introduction = *flock::EncodeIntroduction({"victim", {"KV"}});
  return config;
}

}  // namespace

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
  std::abort();
}

Charter FuzzCharter() {
  return *Charter::Create({.bloc = "simulated",
                           .ranges = {"10.0.0.0-10.0.0.199"},
                           .port = 7117,
                           .at_most = 5,
                           .key_file = "none"});
}

Victim::Victim(const flock::Key& secondary_key)
    : charter_(FuzzCharter()),
      core_(*flock::Flock::Create(ConfigOf(charter_, secondary_key), kStart)) {}

std::vector<Sent> Victim::Receive(std::uint32_t slot, std::span<const std::uint8_t> bytes) {
  return ReceiveFrom({charter_.ranges.At(slot), charter_.port}, bytes);
}

std::vector<Sent> Victim::ReceiveFrom(const Endpoint& from, std::span<const std::uint8_t> bytes) {
  core_.HandleDatagram(from, bytes, now_);
  return Drain();
}

std::vector<Sent> Victim::Wait(Duration duration) {
  const Instant end = now_ + duration;
  std::vector<Sent> sent;
  for (int wakes = 0; core_.NextTimeout() <= end; ++wakes) {
    Require(wakes < kWakesMax, "it sleeps between two wake-ups");
    now_ = std::max(now_, core_.NextTimeout());
    core_.HandleTimeout(now_);
    for (Sent& each : Drain()) sent.push_back(std::move(each));
  }
  now_ = end;
  return sent;
}

std::vector<Sent> Victim::Store() {
  if (const auto promise = std::exchange(to_store_, std::nullopt)) {
    core_.HandlePersisted(*promise, now_);
  }
  return Drain();
}

std::vector<Sent> Victim::AskForIntroduction(std::uint32_t slot) {
  core_.RequestIntroduction(slot, now_);
  return Drain();
}

std::vector<Sent> Victim::Leave() {
  core_.Leave(now_);
  leaving_ = true;
  return Drain();
}

std::vector<Sent> Victim::Drain() {
  std::vector<Sent> sent;
  while (const auto transmit = core_.PollTransmit()) {
    Require(transmit->bytes.size() <= flock::kDatagramSizeMax, "a datagram fits");
    Require(transmit->slot < charter_.ranges.size() && transmit->slot != kVictimSlot,
            "datagrams go to other slots of the ranges");
    sent.push_back({transmit->slot, {transmit->bytes.begin(), transmit->bytes.end()}});
  }
  Require(sent.size() <= kSentMax, "one call makes it send a bounded number of datagrams");
  while (const auto promise = core_.PollPersist()) to_store_ = promise;
  while (const auto event = core_.PollEvent()) {
    ++events_;
    if (event->kind == flock::EventKind::kAlarm) ++alarms_;
    Require(event->subject.slot < charter_.ranges.size(), "events are about slots of the ranges");
    Require(!Explain(*event, [](std::uint32_t slot) { return std::to_string(slot); }).empty() ||
                event->evidence == flock::Evidence::kNone ||
                event->kind == flock::EventKind::kIntroduced,
            "evidence can be put into words");
    // Whether it is valid is the shell's to say; that it survives it is what counts.
    if (event->kind == flock::EventKind::kIntroduced) {
      static_cast<void>(flock::DecodeIntroduction(event->introduction));
    }
  }
  Check();
  return sent;
}

void Victim::CheckPromise() {
  const flock::Promise promise = core_.promise();
  Require(promise.epoch >= promise_.epoch, "promises never go back");
  Require(promise.epoch <= (promise_.epoch == 0 ? flock::kEpochFirstMax
                                                : promise_.epoch + flock::kEpochLongJumpMax),
          "no promise uses the epochs up");
  promise_ = promise;
}

// After each datagram, and each has one author: who is forgotten by its own word is not followed by
// another in the same step.
void Victim::CheckLeader() {
  const auto leader = core_.sealed_leader(now_);
  if (leader && leader_ && leader_->until > now_ && leader->leader != leader_->leader) {
    const auto grant = core_.own_grant(now_);
    Require(grant && grant->leader == leader->leader,
            "whose word still runs is not replaced by another's");
  }
  leader_ = leader;
}

void Victim::Check() {
  const auto members = core_.Members(now_);
  std::uint32_t live = 0;
  bool knows_itself = false;
  for (std::size_t i = 0; i < members.size(); ++i) {
    Require(members[i].id.slot < charter_.ranges.size(), "members are in the ranges");
    Require(i == 0 || members[i - 1].id.slot < members[i].id.slot, "a slot has one member");
    Require(members[i].id.boot != 0, "boots are never 0");
    if (IsLive(members[i].state)) ++live;
    if (members[i].id == core_.self()) {
      knows_itself = members[i].state == flock::MemberState::kAlive ||
                     (leaving_ && members[i].state == flock::MemberState::kLeft);
    }
  }
  Require(knows_itself, "it knows that it is alive, or that it left");
  Require(live == core_.live_count(), "the live are counted");
  Require(core_.member_memory_bytes() <= kMemoryMax, "memory is bounded");
  const flock::Counters& counters = core_.counters();
  Require(counters.accepted <= counters.received, "accepted datagrams were received");
  CheckPromise();
  CheckLeader();
  if (const auto own = core_.own_leadership(now_)) {
    Require(own->epoch != 0 && own->until > now_ && own->until <= now_ + flock::Tunables{}.lease,
            "a leadership is no longer than a lease");
  }
  Require(leaving_ || core_.NextTimeout() < Instant::max(), "it will wake up again");
}

}  // namespace radix::fuzz
