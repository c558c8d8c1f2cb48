#include "services/registry/hordes_codec.h"

#include <gtest/gtest.h>

#include <string>

#include "radix/registry/v1/registry.pb.h"

namespace radix::registry {
namespace {

Horde Shop() {
  Horde horde{.every_node = true, .named = {}};
  horde.Set(7, "n7", Standing::kOutside);
  horde.Set(8, "n8", Standing::kLeaving);
  return horde;
}

// What is said of a message that `spoil` has spoiled.
template <typename Spoil>
std::string Refusal(Spoil spoil) {
  v1::Horde message;
  message.ParseFromString(ToBytes(Shop()));
  spoil(message);
  return std::string(HordeFromBytes(message.SerializeAsString()).status().message());
}

TEST(HordesCodecTest, AHordeComesBackAsItWas) {
  EXPECT_EQ(*HordeFromBytes(ToBytes(Shop())), Shop());
  EXPECT_EQ(*HordeFromBytes(ToBytes(Horde())), Horde());
  EXPECT_FALSE(ToBytes(Horde()).empty()) << "that would remove it";
}

TEST(HordesCodecTest, WhatIsMalformedIsNamed) {
  EXPECT_EQ(HordeFromBytes("\xff").status().message(), "is no radix.registry.v1.Horde");
  EXPECT_EQ(HordeFromBytes("").status().message(), "others: must be ADMITTED or OUTSIDE");
  EXPECT_EQ(Refusal([](v1::Horde& horde) { horde.set_others(v1::HORDE_STANDING_LEAVING); }),
            "others: must be ADMITTED or OUTSIDE");
  EXPECT_EQ(Refusal([](v1::Horde& horde) { horde.mutable_nodes(1)->clear_standing(); }),
            "nodes[1].standing: must be ADMITTED, LEAVING or OUTSIDE");
  EXPECT_EQ(Refusal([](v1::Horde& horde) { horde.mutable_nodes(1)->set_key_fingerprint(7); }),
            "nodes[1].key_fingerprint: stands there twice");
  EXPECT_EQ(
      Refusal([](v1::Horde& horde) { horde.mutable_nodes(0)->set_node(std::string(64, 'a')); }),
      "nodes[0].node: longer than 63 bytes");
  EXPECT_EQ(Refusal([](v1::Horde& horde) {
              for (int i = 0; i < 1023; ++i) horde.add_nodes()->set_key_fingerprint(100 + i);
            }),
            "nodes: 1025, at most 1024");
}

TEST(HordesCodecTest, InADecidedOneThatCannotBeReadIsNobody) {
  Hordes hordes;
  EXPECT_FALSE(AddDecidedHorde("default", "\xff", hordes).ok());
  EXPECT_FALSE(hordes.Has("default", 7));
  EXPECT_FALSE(AddDecidedHorde("radix", ToBytes(Horde()), hordes).ok());
  EXPECT_TRUE(hordes.Has("radix", 7));
}

TEST(HordesCodecTest, ADecisionThatIsWrongChangesNothing) {
  Hordes hordes;
  EXPECT_TRUE(AddHorde("shop", ToBytes(Shop()), hordes).ok());
  EXPECT_EQ(*hordes.Find("shop"), Shop());
  const Hordes before = hordes;
  EXPECT_EQ(AddHorde("radix", ToBytes(Shop()), hordes).message(),
            "horde 'radix': is the basic services' own, every node is in it, and nobody can change "
            "that");
  EXPECT_FALSE(AddHorde("A/B", ToBytes(Shop()), hordes).ok());
  EXPECT_EQ(AddHorde("shop", "\xff", hordes).message(),
            "horde 'shop': is no radix.registry.v1.Horde");
  EXPECT_EQ(hordes, before);
}

}  // namespace
}  // namespace radix::registry
