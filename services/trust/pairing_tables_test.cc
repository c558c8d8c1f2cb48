#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "services/trust/endpoint_table.h"
#include "services/trust/pair_table.h"

namespace radix::trust {
namespace {

constexpr std::uint64_t kOwn = 9;  // the node of the endpoints
constexpr char kAll[] = "call default/* default/*\nserve default/* default/*\n";

IpAddress AddressOf(int node) { return *IpAddress::Parse("10.0.0." + std::to_string(node + 1)); }

std::shared_ptr<const Rules> Parsed(const std::string& text) {
  return std::make_shared<const Rules>(*Rules::Parse(text));
}

KeyId KeyOf(std::uint64_t number) {
  KeyId key;
  for (std::size_t i = 0; i < 8; ++i) key.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return key;
}

Pair SomePair() {
  return {.key = KeyOf(7),
          .caller = {"default", "c0"},
          .endpoint = {AddressOf(0), 4000},
          .meant = {.horde = "default", .api = "a", .inst = ""}};
}
GuardedEndpoint SomeEndpoint() {
  return {.endpoint = {AddressOf(0), 4000},
          .api = {"default", "a"},
          .inst = "a_1",
          .service = "s",
          .keys = {KeyOf(1000)},
          .certificates = {}};
}

TEST(EndpointTableTest, NobodyTakesThePlaceOfAnotherServiceThatLives) {
  EndpointTable table(Instant(1000s), kOwn);
  ASSERT_TRUE(table.HandleEndpoint(1, SomeEndpoint()).ok());
  GuardedEndpoint other = SomeEndpoint();
  other.service = "thief";
  const auto refused = table.HandleEndpoint(2, other);
  EXPECT_TRUE(absl::IsAlreadyExists(refused.status())) << refused.status();
  const auto newer = table.HandleEndpoint(3, SomeEndpoint());
  ASSERT_TRUE(newer.ok());
  EXPECT_EQ(*newer, std::optional<EndpointTable::GuardId>(1)) << "itself it may replace";
  table.HandleGuardEnd(3);
  EXPECT_TRUE(table.HandleEndpoint(2, other).ok()) << "ports are used again";
}

TEST(EndpointTableTest, BeforeTheRulesAreKnownNobodyIsLetInWhateverIsSaidHowOften) {
  EndpointTable table(Instant(1000s), kOwn);
  ASSERT_TRUE(table.HandleEndpoint(1, SomeEndpoint()).ok());
  Pair other = SomePair();
  other.meant.inst = "a_1";
  table.HandlePairs(5, {SomePair(), other, SomePair()}, {});
  EXPECT_TRUE(table.UpdateFor(1)->callers.empty());
  table.HandlePairs(5, {}, {KeyOf(7)});
  table.HandlePairs(5, {SomePair()}, {});
  const auto update = table.UpdateFor(1);
  EXPECT_TRUE(!update || update->callers.empty());
  table.SetRules(Parsed(kAll));
  EXPECT_EQ(table.UpdateFor(1)->callers.size(), 1U);
}

TEST(EndpointTableTest, ANodeThatFlockDoesNotListForAMomentKeepsItsPairs) {
  EndpointTable table(Instant(1000s), kOwn);
  table.SetRules(Parsed(kAll));
  ASSERT_TRUE(table.HandleEndpoint(1, SomeEndpoint()).ok());
  table.HandlePairs(5, {SomePair()}, {});
  ASSERT_EQ(table.UpdateFor(1)->callers.size(), 1U);
  table.SetLiving({}, Instant(1020s));
  EXPECT_TRUE(table.HandleTimeout(Instant(1025s)).empty());
  table.SetLiving({{AddressOf(1), 5}}, Instant(1026s));
  EXPECT_TRUE(table.HandleTimeout(Instant(1040s)).empty());
  table.SetLiving({}, Instant(1040s));
  EXPECT_EQ(table.HandleTimeout(Instant(1050s)), std::vector<std::uint64_t>{5});
  table.UpdateFor(1);  // that all are known
  EXPECT_TRUE(table.List().empty());
}

TEST(EndpointTableTest, WhoCallsFromANodeOutsideItsHordeIsRefusedAndLetInOnceAdmitted) {
  EndpointTable table(Instant(1000s), kOwn);
  table.SetRules(Parsed(kAll));
  ASSERT_TRUE(table.HandleEndpoint(1, SomeEndpoint()).ok());
  table.HandlePairs(5, {SomePair()}, {});
  ASSERT_EQ(table.UpdateFor(1)->callers.size(), 1U);
  registry::Hordes hordes;
  registry::Horde horde{.every_node = true, .named = {}};
  horde.Set(5, "n5", registry::Standing::kOutside);
  hordes.Put("default", horde);
  EXPECT_TRUE(table.SetHordes(hordes).empty()) << "the endpoint's own node is in it";
  EXPECT_EQ(table.UpdateFor(1)->forbidden, std::vector{KeyOf(7)});
  const auto admissions = table.AdmissionsFor(5);
  ASSERT_EQ(admissions.size(), 1U);
  EXPECT_EQ(admissions[0].status.message(),
            "the caller's node is not admitted to the horde 'default'");
  horde.Set(5, "n5", registry::Standing::kLeaving);
  hordes.Put("default", horde);
  table.SetHordes(hordes);
  EXPECT_EQ(table.UpdateFor(1)->callers.size(), 1U) << "what runs there may go on";
}

TEST(EndpointTableTest, ANodeThatCannotKnowWhatWasRevokedLetsInItsOwnCallersOnly) {
  EndpointTable table(Instant(1000s), kOwn);
  table.SetRules(Parsed(kAll));
  ASSERT_TRUE(table.HandleEndpoint(1, SomeEndpoint()).ok());
  Pair own = SomePair();
  own.key = KeyOf(8);
  table.HandlePairs(5, {SomePair()}, {});
  table.HandlePairs(kOwn, {own}, {});
  ASSERT_EQ(table.UpdateFor(1)->callers.size(), 2U);
  table.SetCutOff(true);
  EXPECT_EQ(table.UpdateFor(1)->forbidden, std::vector{KeyOf(7)});
  table.SetCutOff(false);
  const auto again = table.UpdateFor(1);
  ASSERT_EQ(again->callers.size(), 1U);
  EXPECT_EQ(again->callers[0].key, KeyOf(7));
}

TEST(EndpointTableTest, AnEndpointOfANodeOutsideItsHordeMayNotServe) {
  EndpointTable table(Instant(1000s), kOwn);
  table.SetRules(Parsed("serve shop/* shop/*\n"));
  GuardedEndpoint served = SomeEndpoint();
  served.api.horde = "shop";
  const auto unknown = table.HandleEndpoint(1, served);
  EXPECT_EQ(unknown.status().message(), "no horde is called 'shop'");
  registry::Hordes hordes;
  registry::Horde shop;
  hordes.Put("shop", shop);
  table.SetHordes(hordes);
  const auto refused = table.HandleEndpoint(1, served);
  EXPECT_EQ(refused.status().message(), "this node is not admitted to the horde 'shop'");
  shop.Set(kOwn, "n9", registry::Standing::kAdmitted);
  hordes.Put("shop", shop);
  table.SetHordes(hordes);
  EXPECT_TRUE(table.HandleEndpoint(1, served).ok());
  shop.Set(kOwn, "n9", registry::Standing::kOutside);
  hordes.Put("shop", shop);
  EXPECT_EQ(table.SetHordes(hordes), std::vector<std::uint64_t>{1});
}

TEST(EndpointTableTest, AnEndpointWhoseKeyWasRevokedIsNotVouchedFor) {
  EndpointTable table(Instant(1000s), kOwn);
  table.SetRules(Parsed(kAll));
  ASSERT_TRUE(table.HandleEndpoint(1, SomeEndpoint()).ok());
  table.HandlePairs(5, {SomePair()}, {});
  table.HandleTaken(1, table.UpdateFor(1)->number);
  ASSERT_TRUE(table.AdmissionsFor(5).at(0).status.ok());
  table.SetRevoked({.keys = {KeyOf(1000)}, .nodes = {}});
  EXPECT_TRUE(absl::IsPermissionDenied(table.AdmissionsFor(5).at(0).status));
  GuardedEndpoint rolled = SomeEndpoint();
  rolled.keys = {KeyOf(1001)};
  ASSERT_TRUE(table.HandleEndpoint(1, rolled).ok());
  table.HandleTaken(1, table.UpdateFor(1)->number);
  EXPECT_TRUE(table.AdmissionsFor(5).at(0).status.ok());
}

TEST(PairTableTest, WhoeverCallsARevokedNodeIsToldWhateverThatNodeSays) {
  PairTable table(Instant(1000s));
  table.HandlePair(1, SomePair());
  const auto answer = [&] {
    const auto answers = table.AdmissionsFor(1);
    return answers.size() == 1 ? answers[0].status.ToString() : "";
  };
  table.HandleAdmission(AddressOf(0), {KeyOf(7), absl::OkStatus(), {KeyOf(1000)}, {}});
  EXPECT_EQ(answer(), "OK");
  table.SetRevoked({AddressOf(0)}, {});
  EXPECT_EQ(answer(), "PERMISSION_DENIED: the endpoint's node was revoked");
  table.HandleAdmission(AddressOf(0), {KeyOf(7), absl::OkStatus(), {KeyOf(1000)}, {}});
  EXPECT_EQ(answer(), "PERMISSION_DENIED: the endpoint's node was revoked");
  table.AnnouncementFor(AddressOf(0));
  table.SetRevoked({}, {});
  EXPECT_EQ(answer(), "") << "who has that address now is asked";
  ASSERT_TRUE(table.AnnouncementFor(AddressOf(0)));
  table.HandleAdmission(AddressOf(0), {KeyOf(7), absl::OkStatus(), {KeyOf(1000)}, {}});
  EXPECT_EQ(answer(), "OK");
}

TEST(PairTableTest, WhoeverCallsARevokedKeyIsTold) {
  PairTable table(Instant(1000s));
  table.HandlePair(1, SomePair());
  table.HandleAdmission(AddressOf(0), {KeyOf(7), absl::OkStatus(), {KeyOf(1000)}, {}});
  table.AdmissionsFor(1);
  table.SetRevoked({}, {KeyOf(1000)});
  const auto answers = table.AdmissionsFor(1);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].status.message(), "the endpoint's key was revoked");
  table.SetRevoked({AddressOf(3)}, {KeyOf(1000)});
  table.HandlePair(1, {.key = KeyOf(8),
                       .caller = {"default", "c0"},
                       .endpoint = {AddressOf(3), 4000},
                       .meant = {.horde = "default", .api = "a", .inst = ""}});
  EXPECT_EQ(table.AdmissionsFor(1).size(), 1U) << "at once";
}

TEST(EndpointTableTest, WhatIsTooMuchIsRefusedAndTheRestStays) {
  EndpointTable table(Instant(1000s), kOwn);
  table.SetRules(Parsed(kAll));
  std::vector<Pair> pairs;
  for (std::uint64_t key = 1; key <= EndpointTable::kPairsMax + 1; ++key) {
    pairs.push_back(SomePair());
    pairs.back().key = KeyOf(key);
  }
  table.HandlePairs(5, pairs, {});
  EXPECT_EQ(table.AdmissionsFor(5).at(0).status.code(), absl::StatusCode::kResourceExhausted);
  table.HandlePairs(5, {pairs.back()}, {KeyOf(1)});
  table.HandleTimeout(Instant(1010s));
  for (auto told = table.AdmissionsFor(5); !told.empty(); told = table.AdmissionsFor(5)) {
    ASSERT_LE(told.size(), EndpointTable::kAdmissionsMax);
    for (const Admission& each : told) EXPECT_TRUE(absl::IsNotFound(each.status)) << each.status;
  }
}

TEST(PairTableTest, OneKeyTooManyCostsNoOther) {
  PairTable table(Instant(1000s));
  Pair pair = SomePair();
  for (std::uint64_t key = 1; key <= PairTable::kPairsMax + 1; ++key) {
    pair.key = KeyOf(key);
    table.HandlePair(1, pair);
  }
  const auto told = table.AdmissionsFor(1);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].status.code(), absl::StatusCode::kResourceExhausted);
  pair.key = KeyOf(1);
  table.HandlePair(2, pair);
  EXPECT_EQ(table.AdmissionsFor(2).at(0).status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(table.List().size(), PairTable::kPairsMax);
}

TEST(PairTableTest, ALinkThatNobodyNeedsAnyMoreIsNotWantedAgain) {
  PairTable table(Instant(1000s));
  table.HandleTimeout(Instant(1010s));
  table.HandlePair(1, SomePair());
  table.HandleLink(AddressOf(0));
  while (table.AnnouncementFor(AddressOf(0))) {
  }
  table.HandleCallerEnd(1);
  while (table.AnnouncementFor(AddressOf(0))) {
  }
  EXPECT_TRUE(table.Nodes().empty());
  table.HandleLinkEnd(AddressOf(0), /*orderly=*/true);
  EXPECT_TRUE(table.Nodes().empty());
}

// A plugin can name any address, and take that back, as often as it likes.
TEST(PairTableTest, NothingIsKeptOfWhatWasTakenBackBeforeAnybodyHeardOfIt) {
  PairTable table(Instant(1000s));
  for (std::uint64_t i = 0; i < 100; ++i) {
    Pair pair = SomePair();
    pair.key = KeyOf(100 + i);
    pair.endpoint.ip = AddressOf(static_cast<int>(i));
    table.HandlePair(1, pair);
    table.HandleGone(1, pair.key);
  }
  EXPECT_TRUE(table.Nodes().empty());

  // Nor of what is taken back while there is no link: the next begins with all there are.
  table.HandlePair(1, SomePair());
  table.HandleLink(AddressOf(0));
  EXPECT_EQ(table.AnnouncementFor(AddressOf(0))->pairs.size(), 1U);
  table.HandleLinkEnd(AddressOf(0), /*orderly=*/false);
  for (std::uint64_t i = 0; i < 100; ++i) {
    Pair pair = SomePair();
    pair.key = KeyOf(100 + i);
    table.HandlePair(1, pair);
    table.HandleGone(1, pair.key);
  }
  table.HandleGone(1, SomePair().key);
  table.HandleTimeout(Instant(1000s) + PairTable::kCallersKnownAfter);
  ASSERT_EQ(table.Nodes().size(), 1U) << "it may know of the one";
  table.HandleLink(AddressOf(0));
  const auto told = table.AnnouncementFor(AddressOf(0));
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->gone.empty());
  EXPECT_TRUE(told->complete);
}

TEST(EndpointTableTest, WhoAnnouncesTooManyKeysIsToldOfAFew) {
  EndpointTable table(Instant(1000s), kOwn);
  std::vector<Pair> pairs;
  for (std::uint64_t i = 0; i < EndpointTable::kPairsMax + 2 * EndpointTable::kSurplusMax; ++i) {
    Pair pair = SomePair();
    pair.key = KeyOf(i);
    pairs.push_back(pair);
  }
  table.HandlePairs(5, pairs, {});
  std::size_t refused = 0;
  for (auto told = table.AdmissionsFor(5); !told.empty(); told = table.AdmissionsFor(5)) {
    for (const Admission& each : told) refused += absl::IsResourceExhausted(each.status) ? 1 : 0;
  }
  EXPECT_EQ(refused, EndpointTable::kSurplusMax);
}

TEST(PairTableTest, ThereIsNoLinkToWhatIsNoNode) {
  PairTable table(Instant(1000s));
  table.HandlePair(1, SomePair());
  EXPECT_EQ(table.Nodes().size(), 1U) << "flock has not spoken yet";
  table.SetLiving({AddressOf(1)});
  EXPECT_TRUE(table.Nodes().empty());
}

}  // namespace
}  // namespace radix::trust
