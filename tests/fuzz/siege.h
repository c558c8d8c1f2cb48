// One victim, three insiders, and what an input makes them do.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "services/flock/packet_codec.h"
#include "tests/fuzz/insider.h"
#include "tests/fuzz/victim.h"

namespace radix::fuzz {

// An input is one byte of beginnings (see Begin), and then steps: a byte that names the step, and
// what that step reads. Every input means something; make_corpus.cc writes some that mean more.
enum class Step : std::uint8_t {
  kWait,         // u8: in 10 ms
  kGroup,        // u8 who, u8 flags, u16 length, the body
  kPair,         // the same, under the key of the two
  kRawHello,     // u8 who, u16 length, the body
  kHello,        // u8 who
  kWelcome,      // u8 who, a beat's and a record's fields, keys, a ring
  kHonest,       // u8 who: answers whatever the victim asked it last
  kAgain,        // u8 which, u16 where, u8 how: an earlier datagram, altered unless `how` is 0
  kStore,        // the disk is done
  kAskForNames,  // u8 who
  kReboot,       // u8 who
  kLeave,
  kRawRetry,  // u8 who, u16 length, the body: answers the victim's last HELLO
};
inline constexpr std::uint8_t kSteps = 13;

// Flags of a body: what an honest beginning is put before the bytes of the input.
inline constexpr std::uint8_t kWithBeat = 1;
inline constexpr std::uint8_t kWithAck = 2;
inline constexpr std::uint8_t kWithRecord = 4;

class Siege {
 public:
  static constexpr std::size_t kInsiders = 3;
  static constexpr int kStepsMax = 64;

  Siege();

  // Does what `input` says. Ends the process when an invariant does not hold.
  void Run(std::span<const std::uint8_t> input);

 private:
  // Bit i: insider i is acquainted with the victim; bit 3: they behave for 5 s, so that the victim
  // leads them; bit 4: the disk stores at once, always.
  void Begin(std::uint8_t beginnings);
  void Take(Step step, flock::Reader& in);
  void TakeBody(bool pair, flock::Reader& in);
  void TakeWelcome(flock::Reader& in);
  void TakeAgain(flock::Reader& in);
  void SayHello(Insider& insider);  // for a token, and then with it
  void Acquaint(Insider& insider);
  void Behave(Insider& insider);

  // An insider's datagram goes to the victim, and what that sends to the insiders. `has_token`: it
  // is a HELLO with a token that the victim made.
  void Send(const Insider& from, const Bytes& datagram, bool has_token = false);
  void RequireSameIdentities(const Insider& from, const std::vector<flock::MemberView>& before);
  void Carry(const std::vector<Sent>& sent);
  Insider& Who(flock::Reader& in) { return *insiders_[in.U8() % kInsiders]; }
  std::unique_ptr<Insider> MakeInsider(std::uint32_t slot);

  struct Seen {  // a datagram that the victim accepted
    std::uint32_t slot = 0;
    Bytes bytes;
  };

  static constexpr std::size_t kSeenMax = 64;

  flock::Key secondary_;
  Victim victim_;
  std::array<std::unique_ptr<Insider>, kInsiders> insiders_;
  std::vector<Seen> seen_;
  bool stores_ = false;
  std::uint64_t answers_ = 0;
  std::uint64_t boots_ = 10;
};

}  // namespace radix::fuzz
