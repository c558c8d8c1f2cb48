#include "services/confab/places.h"

#include <gtest/gtest.h>

#include <string>

namespace radix::confab {
namespace {

TEST(PlacesTest, WhoHasMostMakesRoomAndOfThoseTheOldest) {
  Places places;
  EXPECT_FALSE(places.MostCrowding());
  places.Take("one", 1);
  places.Take("many", 2);
  places.Take("many", 3);
  EXPECT_EQ(places.size(), 3U);
  EXPECT_EQ(places.Of("many"), 2U);
  EXPECT_EQ(places.Of("nobody"), 0U);
  EXPECT_EQ(places.MostCrowding()->host, "many");
  EXPECT_EQ(places.MostCrowding()->id, 2U);
  places.Leave("many", 2);
  EXPECT_EQ(places.MostCrowding()->host, "one") << "both have one, and its is older";
  places.Leave("many", 2);
  places.Leave("nobody", 7);
  EXPECT_EQ(places.size(), 2U);
  places.Leave("one", 1);
  EXPECT_EQ(places.MostCrowding()->id, 3U);
  EXPECT_EQ(places.OldestOf("many"), 3U);
}

// However many they are who come again and again.
TEST(PlacesTest, WhoHasOneKeepsItWhileAnybodyHasMore) {
  Places places;
  std::uint64_t id = 0;
  for (int host = 0; host < 5; ++host) {
    for (int i = 0; i < 200; ++i) places.Take("host " + std::to_string(host), ++id);
  }
  places.Take("newcomer", ++id);
  for (int i = 0; i < 900; ++i) {
    const auto place = places.MostCrowding();
    EXPECT_NE(place->host, "newcomer");
    places.Leave(place->host, place->id);
  }
}

}  // namespace
}  // namespace radix::confab
