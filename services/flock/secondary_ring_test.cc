#include "services/flock/secondary_ring.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <vector>

namespace radix::flock {
namespace {

class SecondaryRingTest : public testing::Test {
 protected:
  SecondaryRingTest() { EXPECT_GE(sodium_init(), 0); }

  // As `fulcrum keygen` makes it: random, its number included.
  static Key First() {
    Key key;
    randombytes_buf(key.data(), key.size());
    return key;
  }
  static Key Draw() { return First(); }

  // What a node finds that reads the key file again.
  static SecondaryRing Reread(const SecondaryRing& ring) { return SecondaryRing(ring.keys()); }
};

TEST_F(SecondaryRingTest, GoesRoundItsPhasesOneSlotAtATime) {
  const Key first = First();
  SecondaryRing ring({first});
  EXPECT_EQ(ring.phase(), RotationPhase::kIdle);
  EXPECT_EQ(ring.previous(), nullptr);
  const std::uint32_t first_tag = ring.current().tag;

  ring.Install(7, Draw());
  EXPECT_EQ(ring.phase(), RotationPhase::kInstalled);
  EXPECT_EQ(ring.current().tag, first_tag);
  const std::uint32_t second_tag = ring.next()->tag;
  EXPECT_NE(ring.Find(second_tag), nullptr);

  ring.Use();
  EXPECT_EQ(ring.phase(), RotationPhase::kIdle);  // there is nothing to remove yet
  EXPECT_EQ(ring.current().tag, second_tag);
  EXPECT_EQ(ring.previous()->tag, first_tag);

  ring.Install(7, Draw());
  ring.Use();
  EXPECT_EQ(ring.phase(), RotationPhase::kUsed);
  EXPECT_EQ(ring.previous()->tag, second_tag);
  EXPECT_NE(ring.Find(first_tag), nullptr);
  ring.Remove();
  EXPECT_EQ(ring.phase(), RotationPhase::kIdle);
  EXPECT_EQ(ring.previous()->tag, second_tag);
  EXPECT_EQ(ring.Find(first_tag), nullptr);
}

TEST_F(SecondaryRingTest, AKeyFileTellsThePhaseWhateverOrderItsLaterLinesHave) {
  for (int line = 0; line < 50; ++line) {
    SecondaryRing ring({First()});
    for (int step = 0; step < 7; ++step) {
      if (ring.phase() == RotationPhase::kIdle) {
        ring.Install(static_cast<std::uint64_t>(step), Draw());
      } else if (ring.phase() == RotationPhase::kInstalled) {
        ring.Use();
      } else {
        ring.Remove();
      }
      std::vector<Key> keys = ring.keys();
      EXPECT_LE(keys.size(), kSecondaryKeysMax);
      std::reverse(keys.begin() + 1, keys.end());
      const SecondaryRing again(keys);
      EXPECT_EQ(again.phase(), ring.phase());
      EXPECT_EQ(again.version(), ring.version());
      EXPECT_EQ(again.next().has_value(), ring.next().has_value());
    }
  }
}

TEST_F(SecondaryRingTest, EveryMoveMakesALaterRingWithAnotherVersion) {
  SecondaryRing ring({First()});
  std::vector<SecondaryRing> seen = {ring};
  for (int step = 0; step < 12; ++step) {
    if (ring.phase() == RotationPhase::kIdle) {
      ring.Install(1, Draw());
    } else if (ring.phase() == RotationPhase::kInstalled) {
      ring.Use();
    } else {
      ring.Remove();
    }
    for (const SecondaryRing& earlier : seen) {
      EXPECT_TRUE(IsLater(Reread(ring), Reread(earlier)));
      EXPECT_FALSE(IsLater(Reread(earlier), Reread(ring)));
      EXPECT_NE(earlier.version(), ring.version());
    }
    EXPECT_FALSE(IsLater(ring, ring));
    seen.push_back(ring);
  }
}

TEST_F(SecondaryRingTest, OfTwoNextKeysTheGreaterEpochsIsLater) {
  const Key first = First();
  SecondaryRing early({first});
  SecondaryRing late({first});
  early.Install(4, Draw());
  late.Install(5, Draw());
  EXPECT_TRUE(IsLater(late, early));
  EXPECT_FALSE(IsLater(early, late));
  early.Use();
  EXPECT_TRUE(IsLater(early, late));  // what is used came after what is only installed
  late.Use();
  EXPECT_TRUE(IsLater(late, early));
}

TEST_F(SecondaryRingTest, WhoKnowsThePreviousKeyToIsLater) {
  SecondaryRing ring({First()});
  ring.Install(1, Draw());
  ring.Use();
  const SecondaryRing poor({ring.current().key});
  EXPECT_TRUE(IsLater(ring, poor));
  EXPECT_FALSE(IsLater(poor, ring));
}

TEST_F(SecondaryRingTest, AFileToWhichAPersonAddedANewKeyIsLaterWhateverItsNumber) {
  const Key low{1};
  const Key high{2};
  for (const auto& [old, added] : {std::pair(low, high), std::pair(high, low)}) {
    EXPECT_TRUE(IsLater(SecondaryRing({added, old}), SecondaryRing({old})));
    EXPECT_FALSE(IsLater(SecondaryRing({old}), SecondaryRing({added, old})));
  }
}

TEST_F(SecondaryRingTest, TheNumberWrapsAround) {
  Key last = First();
  std::fill_n(last.begin(), 4, std::uint8_t{0xff});
  SecondaryRing ring({last});
  const SecondaryRing before = ring;
  ring.Install(1, Draw());
  EXPECT_EQ(Reread(ring).phase(), RotationPhase::kInstalled);
  ring.Use();
  EXPECT_EQ(Reread(ring).previous()->key, last);
  EXPECT_TRUE(IsLater(ring, before));
}

TEST_F(SecondaryRingTest, TakesKeysThatAPersonPutTogetherAndRepeatedLines) {
  const Key used = First();
  const Key other = First();
  const SecondaryRing ring({used, other, used});
  EXPECT_EQ(ring.current().key, used);
  EXPECT_EQ(ring.keys().size(), 2U);
  EXPECT_EQ(ring.previous()->key, other);
}

TEST_F(SecondaryRingTest, ANewKeyHas192RandomBits) {
  SecondaryRing ring({First()});
  ring.Install(1, Draw());
  const Key one = ring.next()->key;
  SecondaryRing again({ring.current().key});
  again.Install(1, Draw());
  const Key two = again.next()->key;
  EXPECT_TRUE(std::equal(one.begin(), one.begin() + 8, two.begin()));
  int equal = 0;
  for (std::size_t i = 8; i < one.size(); ++i) equal += one[i] == two[i] ? 1 : 0;
  EXPECT_LT(equal, 6);
}

}  // namespace
}  // namespace radix::flock
