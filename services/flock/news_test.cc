#include "services/flock/news.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace radix::flock {
namespace {

using testing::ElementsAre;

std::vector<std::uint32_t> Take(News& news, std::size_t most) {
  std::vector<std::uint32_t> taken;
  news.Take([&](std::uint32_t slot) {
    if (taken.size() == most) return News::Telling::kNoRoom;
    taken.push_back(slot);
    return News::Telling::kTold;
  });
  return taken;
}

TEST(NewsTest, TellsOfAllInTurnAndOfNoneTwiceInOneGo) {
  News news;
  for (const std::uint32_t slot : {5U, 3U, 9U}) news.Add(slot, 100, News::Kind::kSuspicion);
  EXPECT_THAT(Take(news, 2), ElementsAre(3, 5));
  EXPECT_THAT(Take(news, 9), ElementsAre(9, 3, 5));
  news.Remove(3);
  news.Remove(4);
  EXPECT_EQ(news.size(), 2U);
  EXPECT_THAT(Take(news, 9), ElementsAre(9, 5));
}

TEST(NewsTest, TellsOfEachTwiceTheLogarithmOfTheBlocAndThenNoMore) {
  News news;
  news.Add(1, 1000, News::Kind::kSuspicion);
  news.Add(2, 1000, News::Kind::kSuspicion);
  std::map<std::uint32_t, int> told;
  while (!news.empty()) {
    for (const std::uint32_t slot : Take(news, 9)) ++told[slot];
  }
  EXPECT_EQ(told[1], 22);
  EXPECT_EQ(told[2], 22);
}

TEST(NewsTest, TellsOfWhoJoinedAQuarterAsOften) {
  News news;
  news.Add(1, 1000, News::Kind::kJoin);
  int told = 0;
  for (; !news.empty(); ++told) ASSERT_THAT(Take(news, 9), ElementsAre(1));
  EXPECT_EQ(told, 5);
}

TEST(NewsTest, TellsOfWhoJoinedAFewAtLeastThreeTimesNotCountingThoseWhoNeedNoTelling) {
  News news;
  news.Add(1, 2, News::Kind::kJoin);
  for (int i = 0; i < 10; ++i) news.Take([](std::uint32_t) { return News::Telling::kNeedless; });
  int told = 0;
  for (; !news.empty(); ++told) ASSERT_THAT(Take(news, 9), ElementsAre(1));
  EXPECT_EQ(told, 3);
}

TEST(NewsTest, WhoHasTheSameViewKnowsAllButSuspicions) {
  News news;
  news.HeardSameView();  // of a view without the news
  news.Add(1, 1000, News::Kind::kRefutation);
  news.Add(2, 1000, News::Kind::kSuspicion);
  for (int i = 0; i < 10; ++i) news.HeardSameView();
  std::map<std::uint32_t, int> told;
  while (!news.empty()) {
    for (const std::uint32_t slot : Take(news, 9)) ++told[slot];
  }
  EXPECT_EQ(told[1], 12);
  EXPECT_EQ(told[2], 22);
  news.Add(1, 1000, News::Kind::kRefutation);
  for (int i = 0; i < 22; ++i) news.HeardSameView();
  EXPECT_TRUE(Take(news, 9).empty());
  EXPECT_TRUE(news.empty());
  // Suspected now: that is no part of the view.
  news.Add(1, 1000, News::Kind::kRefutation);
  news.Add(1, 1000, News::Kind::kSuspicion);
  for (int i = 0; i < 22; ++i) news.HeardSameView();
  EXPECT_THAT(Take(news, 9), ElementsAre(1));
}

TEST(NewsTest, WhatOthersTellTooIsToldLess) {
  News news;
  news.Add(1, 1000, News::Kind::kSuspicion);
  for (int i = 0; i < 10; ++i) news.HeardAgain(1);
  news.HeardAgain(7);  // no news of ours
  int told = 0;
  while (!news.empty()) told += static_cast<int>(Take(news, 9).size());
  EXPECT_EQ(told, 12);
  news.Add(1, 1000, News::Kind::kSuspicion);
  for (int i = 0; i < 22; ++i) news.HeardAgain(1);
  EXPECT_TRUE(news.empty());
  EXPECT_TRUE(Take(news, 9).empty());
}

TEST(NewsTest, HoldsNoMoreThanItsBoundAndWhatItHoldsIsToldAfresh) {
  News news;
  for (std::uint32_t slot = 0; slot < 2 * News::kMax; ++slot)
    news.Add(slot, 10000, News::Kind::kSuspicion);
  EXPECT_EQ(news.size(), News::kMax);
  while (news.size() > 1) news.Remove(Take(news, 1).front());
  const std::uint32_t last = Take(news, 1).front();
  news.Add(last, 2, News::Kind::kSuspicion);
  int told = 0;
  while (!news.empty()) told += static_cast<int>(Take(news, 9).size());
  EXPECT_EQ(told, 6);
}

}  // namespace
}  // namespace radix::flock
