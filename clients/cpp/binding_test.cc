#include "clients/cpp/binding.h"

#include <gtest/gtest.h>

#include <set>

namespace radix {
namespace {

using Kind = Binding::Act::Kind;

Candidate Of(const std::string& inst, const std::string& net_id, const std::string& node = "n9") {
  return {.inst = inst, .net_id = net_id, .node = node};
}

// A binding, and what it asked for so far.
class BindingTest : public testing::Test {
 protected:
  // Carries nothing out; returns what was asked for.
  std::vector<Binding::Act> Poll() {
    std::vector<Binding::Act> acts;
    while (auto act = binding_.Poll(now_)) acts.push_back(*act);
    return acts;
  }

  // The connection asked for by the only act there is.
  Binding::ConnectionId Connects(const std::string& net_id) {
    const auto acts = Poll();
    EXPECT_EQ(acts.size(), 1u);
    if (acts.empty()) return 0;
    EXPECT_EQ(acts[0].kind, Kind::kConnect);
    EXPECT_EQ(acts[0].candidate.net_id, net_id);
    return acts[0].connection;
  }

  // Connects and binds to the only instance there is.
  Binding::ConnectionId BindTo(const Candidate& candidate) {
    binding_.Put(candidate);
    const auto connection = Connects(candidate.net_id);
    binding_.OnServing(connection, now_);
    Poll();
    EXPECT_EQ(binding_.bound(), connection);
    return connection;
  }

  Instant now_{1h};
  Binding binding_{{.node = "n1", .client = "n1/1"}, 1};
};

TEST_F(BindingTest, ConnectsToTheGreatestInst) {
  binding_.Replace({Of("g_3", "a:1"), Of("g_4", "b:1"), Of("g_10", "c:1")});
  EXPECT_NE(Connects("b:1"), 0u);
}

TEST_F(BindingTest, PrefersItsOwnNodeAmongEquals) {
  binding_.Replace({Of("g_3", "a:1"), Of("g_3", "b:1", "n1"), Of("g_3", "c:1")});
  EXPECT_NE(Connects("b:1"), 0u);
}

TEST_F(BindingTest, StaysUntilTheBetterOneWorks) {
  const auto old = BindTo(Of("g_3", "a:1"));
  binding_.Put(Of("g_4", "b:1"));
  const auto next = Connects("b:1");
  EXPECT_EQ(binding_.bound(), old);
  binding_.OnServing(next, now_);
  const auto acts = Poll();
  ASSERT_EQ(acts.size(), 2u);
  EXPECT_EQ(acts[0].kind, Kind::kBind);
  EXPECT_EQ(acts[0].connection, next);
  EXPECT_EQ(acts[1].kind, Kind::kDrop);
  EXPECT_EQ(acts[1].connection, old);
}

TEST_F(BindingTest, LeavesADrainingInstanceForALesserOne) {
  const auto old = BindTo(Of("g_4", "b:1"));
  binding_.Put(Of("g_3", "a:1"));
  EXPECT_TRUE(Poll().empty());
  binding_.OnDraining(old, now_);
  const auto next = Connects("a:1");
  EXPECT_EQ(binding_.bound(), old) << "left before the other worked";
  binding_.OnServing(next, now_);
  Poll();
  EXPECT_EQ(binding_.bound(), next);
}

TEST_F(BindingTest, StaysWithADrainingOrForgottenInstanceWhileThereIsNoOther) {
  const auto connection = BindTo(Of("g_4", "b:1"));
  binding_.OnDraining(connection, now_);
  EXPECT_TRUE(Poll().empty());
  binding_.Replace({});
  EXPECT_TRUE(Poll().empty());
  EXPECT_EQ(binding_.bound(), connection);
  binding_.OnBroken(connection, now_);
  Poll();
  EXPECT_EQ(binding_.bound(), 0u);
  now_ += 1h;
  EXPECT_TRUE(Poll().empty()) << "it is not listed, so nothing is tried";
}

TEST_F(BindingTest, ReplacesABrokenConnectionAtOnce) {
  const auto old = BindTo(Of("g_4", "b:1"));
  binding_.OnBroken(old, now_);
  const auto acts = Poll();
  ASSERT_EQ(acts.size(), 3u);
  EXPECT_EQ(acts[0].kind, Kind::kUnbind);
  EXPECT_EQ(acts[1].kind, Kind::kDrop);
  EXPECT_EQ(acts[2].kind, Kind::kConnect);
  EXPECT_NE(acts[2].connection, old);
}

TEST_F(BindingTest, ReplacesAConnectionThatKeepsBreakingWithPauses) {
  auto connection = BindTo(Of("g_4", "b:1"));
  binding_.OnBroken(connection, now_);
  connection = Poll().back().connection;
  binding_.OnServing(connection, now_);
  Poll();
  binding_.OnBroken(connection, now_);
  for (const auto& act : Poll()) EXPECT_NE(act.kind, Kind::kConnect);
  EXPECT_GT(binding_.next_time(), now_);
  now_ = binding_.next_time();
  EXPECT_NE(Connects("b:1"), 0u);
}

TEST_F(BindingTest, TriesTheNextBestBesideOneThatDoesNotAnswer) {
  binding_.Replace({Of("g_3", "a:1"), Of("g_4", "b:1")});
  const auto best = Connects("b:1");
  EXPECT_TRUE(Poll().empty());
  EXPECT_EQ(binding_.next_time(), now_ + 100ms);
  now_ += 100ms;
  const auto second = Connects("a:1");
  binding_.OnServing(second, now_);
  Poll();
  EXPECT_EQ(binding_.bound(), second);
  now_ += 10ms;
  binding_.OnServing(best, now_);
  Poll();
  EXPECT_EQ(binding_.bound(), best) << "the better one answered late, and is still wanted";
}

TEST_F(BindingTest, GivesUpAnAttemptAfterItsLimitAndTriesAgainLater) {
  binding_.Put(Of("g_4", "b:1"));
  const auto first = Connects("b:1");
  now_ += 2s;
  const auto acts = Poll();
  ASSERT_EQ(acts.size(), 1u);
  EXPECT_EQ(acts[0].kind, Kind::kDrop);
  EXPECT_EQ(acts[0].connection, first);
  binding_.OnServing(first, now_);  // too late: ignored
  EXPECT_TRUE(Poll().empty());
  now_ = binding_.next_time();
  EXPECT_NE(Connects("b:1"), first);
}

TEST_F(BindingTest, DoesNotBindToAnInstanceThatSaysItDrains) {
  binding_.Put(Of("g_4", "b:1"));
  const auto connection = Connects("b:1");
  binding_.OnDraining(connection, now_);
  for (const auto& act : Poll()) EXPECT_EQ(act.kind, Kind::kDrop);
  EXPECT_EQ(binding_.bound(), 0u);
}

TEST_F(BindingTest, ComesBackToAnInstanceThatServesAgain) {
  const auto four = BindTo(Of("g_4", "b:1"));
  binding_.Put(Of("g_3", "a:1"));
  binding_.OnDraining(four, now_);
  binding_.OnServing(Connects("a:1"), now_);
  Poll();
  now_ = binding_.next_time();
  const auto again = Connects("b:1");
  binding_.OnServing(again, now_);
  Poll();
  EXPECT_EQ(binding_.bound(), again);
}

TEST_F(BindingTest, TakesAnotherInstAtTheSameAddressForAnotherInstance) {
  const auto old = BindTo(Of("g_3", "a:1"));
  binding_.Put(Of("g_4", "a:1"));
  const auto next = Connects("a:1");
  EXPECT_NE(next, old);
  binding_.OnServing(next, now_);
  Poll();
  EXPECT_EQ(binding_.bound(), next);
}

TEST_F(BindingTest, IgnoresWhatIsBeyondItsBound) {
  std::vector<Candidate> many;
  for (std::size_t i = 0; i < Binding::kCandidatesMax + 10; ++i) {
    many.push_back(Of("g_" + std::to_string(1000000 + i), "a:" + std::to_string(i)));
  }
  binding_.Replace(many);
  EXPECT_NE(Connects("a:" + std::to_string(Binding::kCandidatesMax - 1)), 0u);
}

TEST(BindingSpreadTest, SpreadsClientsOverEquals) {
  std::map<std::string, int> chosen;
  for (int client = 0; client < 300; ++client) {
    Binding binding({.node = "n1", .client = "n1/" + std::to_string(client)}, 1);
    binding.Replace({Of("g_3", "a:1"), Of("g_3", "b:1"), Of("g_3", "c:1")});
    ++chosen[binding.Poll(Instant(1h))->candidate.net_id];
  }
  ASSERT_EQ(chosen.size(), 3u);
  for (const auto& [net_id, count] : chosen) EXPECT_GT(count, 60) << net_id;
}

}  // namespace
}  // namespace radix
