#include "services/flock/handshake.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <optional>
#include <set>
#include <vector>

#include "services/flock/key_ring.h"

namespace radix::flock {
namespace {

struct Side {
  Side(std::uint32_t slot, const std::vector<Key>& keys, const std::string& bloc,
       std::uint8_t seed = 0)
      : self{{slot, slot + 100U}, *IpAddress::Parse("10.0.0." + std::to_string(slot))},
        secrets(Key{static_cast<std::uint8_t>(slot), seed}),
        protection(bloc),
        ring(keys),
        handshake(protection, ring, secrets) {}

  Destination self;
  KeyStream secrets;
  PacketProtection protection;
  SecondaryRing ring;
  Handshake handshake;
};

class HandshakeTest : public testing::Test {
 protected:
  HandshakeTest() { EXPECT_GE(sodium_init(), 0); }

  // With a token, or the short one that asks for it.
  std::vector<std::uint8_t> Hello(Side& from, const Side& to, bool has_token = true) {
    std::vector<std::uint8_t> out(Handshake::kHelloSize);
    const Destination there{{to.self.id.slot, 0}, to.self.address};
    std::optional<HelloProof> proof;
    if (has_token) proof = {11, ++counter_, 13, 14};
    out.resize(from.handshake.WriteHello(from.self.id, there, now_, proof, out));
    return out;
  }
  std::vector<std::uint8_t> Retry(Side& from, const std::vector<std::uint8_t>& hello,
                                  const Side& to) {
    const auto opened = from.handshake.OpenHello(*DecodeHeader(hello), from.self, hello);
    std::vector<std::uint8_t> out(Handshake::kRetrySize);
    out.resize(opened ? from.handshake.WriteRetry(*opened, from.self.id, 77, to.self, out) : 0);
    return out;
  }
  std::vector<std::uint8_t> Answer(Side& from, const std::vector<std::uint8_t>& hello,
                                   const Side& to) {
    const auto opened = from.handshake.OpenHello(*DecodeHeader(hello), from.self, hello);
    if (!opened || !opened->proof) return {};
    const Ranking ranking(1);
    KeyRing ring(ranking, {0, 0, from.self.id}, Key{9}, 60s, now_);
    ring.Prepare(0, from.self.id, Key{8});
    ring.Advance(now_);
    ring.Prepare(0, from.self.id, Key{7});
    std::array<std::uint8_t, KeyRing::kEncodedSizeMax> encoded{};
    Writer writer(encoded);
    ring.Encode(writer);
    Welcome welcome;
    welcome.sender.id = from.self.id;
    welcome.beat.incarnation = 3;
    welcome.sender.fingerprint = 4;
    welcome.counter = ++counter_;
    welcome.about_you = Record{to.self.id, 1, MemberState::kDead, 2};
    welcome.secondary_keys = {Key{1}, Key{2}, Key{3}};
    welcome.others = others_;
    welcome.ring.assign(writer.written().begin(), writer.written().end());
    std::array<std::uint8_t, kDatagramSizeMax> out{};
    const std::size_t size = from.handshake.WriteWelcome(*opened, welcome, to.self, now_, out);
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
  }

  Instant now_{100s};
  std::uint64_t counter_ = 11;  // of all, the last
  std::vector<Record> others_;  // that a WELCOME lists
  Side ann_{1, {Key{1}}, "blue"};
  Side bob_{2, {Key{1}}, "blue"};
};

TEST_F(HandshakeTest, AHelloWithATokenIsAnsweredByAWelcome) {
  const auto hello = Hello(ann_, bob_);
  const auto heard = bob_.handshake.OpenHello(*DecodeHeader(hello), bob_.self, hello);
  ASSERT_TRUE(heard && heard->proof);
  EXPECT_EQ(heard->proof->token, 11U);
  EXPECT_EQ(heard->proof->counter, 12U);
  EXPECT_EQ(heard->proof->incarnation, 13U);
  EXPECT_EQ(heard->proof->fingerprint, 14U);
  const auto welcome = Answer(bob_, hello, ann_);
  ASSERT_FALSE(welcome.empty());
  const auto opened = ann_.handshake.OpenWelcome(*DecodeHeader(welcome), ann_.self, welcome, now_);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->sender.id, bob_.self.id);
  EXPECT_EQ(opened->sender.incarnation, 3U);
  EXPECT_EQ(opened->sender.fingerprint, 4U);
  EXPECT_EQ(opened->counter, 13U);
  EXPECT_EQ(opened->about_you->state, MemberState::kDead);
  EXPECT_EQ(opened->secondary_keys.size(), 3U);
}

TEST_F(HandshakeTest, AShortHelloIsAnsweredByATokenAndThatIsNoLonger) {
  const auto hello = Hello(ann_, bob_, false);
  EXPECT_EQ(hello.size(), Handshake::kHelloShort);
  EXPECT_FALSE(bob_.handshake.OpenHello(*DecodeHeader(hello), bob_.self, hello)->proof);
  const auto retry = Retry(bob_, hello, ann_);
  ASSERT_EQ(DecodeHeader(retry)->type, PacketType::kRetry);
  EXPECT_LE(retry.size(), hello.size());
  const auto token = ann_.handshake.OpenRetry(*DecodeHeader(retry), ann_.self, retry, now_);
  EXPECT_EQ(token.value_or(0), 77U);
}

TEST_F(HandshakeTest, NothingIsSealedTwiceUnderOneNonceUnlessItIsTheSame) {
  // A RETRY says all in its header: what answers a HELLO again, by the same token, is the same.
  const auto hello = Hello(ann_, bob_, false);
  EXPECT_EQ(Retry(bob_, hello, ann_), Retry(bob_, hello, ann_));
  // Whatever else is sealed has a number that was not used before; all of them look different.
  std::set<std::vector<std::uint8_t>> sealed;
  const auto see = [&](const std::vector<std::uint8_t>& datagram) {
    EXPECT_TRUE(sealed.emplace(datagram.begin() + kHeaderSize, datagram.end()).second);
  };
  const auto again = Hello(ann_, bob_);
  for (int i = 0; i < 2; ++i) see(Answer(bob_, again, ann_));
  see(again);
  see(hello);
  see(Hello(ann_, bob_));
  see(Hello(ann_, bob_, false));
  see(Retry(bob_, hello, ann_));
}

TEST_F(HandshakeTest, AHelloOfAnyOtherLengthDoesNotOpen) {
  for (const bool has_token : {false, true}) {
    auto hello = Hello(ann_, bob_, has_token);
    hello.push_back(0);
    EXPECT_FALSE(bob_.handshake.OpenHello(*DecodeHeader(hello), bob_.self, hello));
    hello.resize(hello.size() - 2);
    EXPECT_FALSE(bob_.handshake.OpenHello(*DecodeHeader(hello), bob_.self, hello));
  }
}

TEST_F(HandshakeTest, ARetryIsBelievedOnlyFromWhomItWasAskedAndOnlyOnce) {
  const auto hello = Hello(ann_, bob_, false);
  const auto retry = Retry(bob_, hello, ann_);
  Side eve(1, {Key{1}}, "blue", 5);
  Hello(eve, bob_, false);
  EXPECT_FALSE(eve.handshake.OpenRetry(*DecodeHeader(retry), eve.self, retry, now_));
  for (std::size_t at = 0; at < retry.size(); ++at) {
    auto altered = retry;
    altered[at] ^= 1;
    const auto header = DecodeHeader(altered);
    if (header) {
      EXPECT_FALSE(ann_.handshake.OpenRetry(*header, ann_.self, altered, now_)) << at;
    }
  }
  EXPECT_TRUE(ann_.handshake.OpenRetry(*DecodeHeader(retry), ann_.self, retry, now_));
  EXPECT_FALSE(ann_.handshake.OpenRetry(*DecodeHeader(retry), ann_.self, retry, now_)) << "again";
  // A HELLO with a token is not asked to bring another: that could go on for ever.
  const auto again = Retry(bob_, Hello(ann_, bob_), ann_);
  ASSERT_EQ(DecodeHeader(again)->type, PacketType::kRetry);
  EXPECT_FALSE(ann_.handshake.OpenRetry(*DecodeHeader(again), ann_.self, again, now_));
}

TEST_F(HandshakeTest, WhoWasLetInMeanwhileAsksForNoMoreUnlessItDidWithAToken) {
  const auto retry = Retry(bob_, Hello(ann_, bob_, false), ann_);
  ann_.handshake.Withdraw(bob_.self.id.slot);
  EXPECT_FALSE(ann_.handshake.IsPending(bob_.self.id.slot, now_, 1s));
  EXPECT_FALSE(ann_.handshake.OpenRetry(*DecodeHeader(retry), ann_.self, retry, now_));
  // Both asked with a token: each needs what the other's answer brings.
  const auto welcome = Answer(bob_, Hello(ann_, bob_), ann_);
  ann_.handshake.Withdraw(bob_.self.id.slot);
  EXPECT_TRUE(ann_.handshake.OpenWelcome(*DecodeHeader(welcome), ann_.self, welcome, now_));
}

TEST_F(HandshakeTest, AWelcomeListsTheOthersIfThereIsRoom) {
  others_ = {{{7, 8}, 1, MemberState::kAlive, 9}, {{8, 9}, 1, MemberState::kAlive, 9}};
  const auto brief = Answer(bob_, Hello(ann_, bob_), ann_);
  const auto opened = ann_.handshake.OpenWelcome(*DecodeHeader(brief), ann_.self, brief, now_);
  ASSERT_EQ(opened->others.size(), 2U);
  EXPECT_EQ(opened->others[1].id, (MemberId{8, 9}));
  others_[1].state = MemberState::kDead;
  const auto dead = Answer(bob_, Hello(ann_, bob_), ann_);
  EXPECT_FALSE(ann_.handshake.OpenWelcome(*DecodeHeader(dead), ann_.self, dead, now_));
  others_.assign(40, {{7, 8}, 1, MemberState::kAlive, 9});
  const auto many = Answer(bob_, Hello(ann_, bob_), ann_);
  EXPECT_TRUE(
      ann_.handshake.OpenWelcome(*DecodeHeader(many), ann_.self, many, now_)->others.empty());
}

TEST_F(HandshakeTest, AWelcomeOpensOnceAndOnlyForWhomItWasMade) {
  const auto hello = Hello(ann_, bob_);
  const auto welcome = Answer(bob_, hello, ann_);
  Side eve(1, {Key{1}}, "blue", 5);  // the same address and key, but not the author
  Hello(eve, bob_);
  EXPECT_FALSE(eve.handshake.OpenWelcome(*DecodeHeader(welcome), eve.self, welcome, now_));
  EXPECT_TRUE(ann_.handshake.OpenWelcome(*DecodeHeader(welcome), ann_.self, welcome, now_));
  EXPECT_FALSE(ann_.handshake.OpenWelcome(*DecodeHeader(welcome), ann_.self, welcome, now_));
}

TEST_F(HandshakeTest, AReplayedHelloGetsAnAnswerThatNoLongerOpens) {
  const auto hello = Hello(ann_, bob_);
  const auto first = Answer(bob_, hello, ann_);
  ASSERT_TRUE(ann_.handshake.OpenWelcome(*DecodeHeader(first), ann_.self, first, now_));
  const auto second = Answer(bob_, hello, ann_);
  ASSERT_FALSE(second.empty());
  EXPECT_FALSE(ann_.handshake.OpenWelcome(*DecodeHeader(second), ann_.self, second, now_));
}

TEST_F(HandshakeTest, OtherBlocsAndOtherKeysDoNotEvenAnswer) {
  Side other_bloc(2, {Key{1}}, "green");
  Side other_key(2, {Key{5}}, "blue");
  const auto hello = Hello(ann_, bob_);
  EXPECT_TRUE(Answer(other_bloc, hello, ann_).empty());
  EXPECT_TRUE(Answer(other_key, hello, ann_).empty());
  // Nor a node at another address, to which somebody carried it.
  Side elsewhere(3, {Key{1}}, "blue");
  EXPECT_TRUE(Answer(elsewhere, hello, ann_).empty());
}

TEST_F(HandshakeTest, ANodeThatMissedOneRotationIsLetInAndOneThatMissedTwoIsNot) {
  Side rotated(2, {Key{6}, Key{1}}, "blue");
  const auto welcome = Answer(rotated, Hello(ann_, rotated), ann_);
  EXPECT_FALSE(welcome.empty());
  Side twice(2, {Key{7}, Key{6}}, "blue");
  EXPECT_TRUE(Answer(twice, Hello(ann_, twice), ann_).empty());
}

TEST_F(HandshakeTest, NoAlteredHelloOrWelcomeOpens) {
  const auto hello = Hello(ann_, bob_);
  const auto welcome = Answer(bob_, hello, ann_);
  for (std::size_t at = 0; at < hello.size(); at += 3) {
    auto altered = hello;
    altered[at] ^= 1;
    if (DecodeHeader(altered)) {
      EXPECT_TRUE(Answer(bob_, altered, ann_).empty()) << at;
    }
  }
  for (std::size_t at = 0; at < welcome.size(); at += 3) {
    auto altered = welcome;
    altered[at] ^= 1;
    const auto header = DecodeHeader(altered);
    if (header) {
      EXPECT_FALSE(ann_.handshake.OpenWelcome(*header, ann_.self, altered, now_)) << at;
    }
  }
  EXPECT_TRUE(ann_.handshake.OpenWelcome(*DecodeHeader(welcome), ann_.self, welcome, now_));
}

}  // namespace
}  // namespace radix::flock
