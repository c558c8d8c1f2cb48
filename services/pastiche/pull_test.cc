#include "services/pastiche/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace radix::pastiche {
namespace {

using testing::HasSubstr;
using Kind = PullStep::Kind;

const Peer kTwo{"n2", "127.0.0.2:1000"};
const Peer kThree{"n3", "127.0.0.3:1000"};
const Peer kFour{"n4", "127.0.0.4:1000"};

std::vector<Peer> ManyPeers(int count) {
  std::vector<Peer> peers;
  for (int i = 0; i < count; ++i) {
    peers.push_back({absl::StrCat("n", i), absl::StrCat("127.0.0.1:", 1000 + i)});
  }
  return peers;
}

// Carries a pull out to its end, with peers that fail as `failure_of` says.
struct Trial {
  explicit Trial(Pull subject) : pull(std::move(subject)) {}

  template <typename FailureOf>
  void ToTheEnd(const std::vector<Peer>& peers, FailureOf failure_of) {
    for (int step_count = 0; step_count < 10'000; ++step_count) {
      const PullStep step = pull.Next(now);
      switch (step.kind) {
        case Kind::kLookup:
          ++lookups;
          pull.HandlePeers(peers);
          break;
        case Kind::kFetch:
          fetched.push_back(step.peer);
          pull.HandleFailure(failure_of(step.peer), "reason");
          break;
        case Kind::kWait:
          EXPECT_GT(step.until, now);
          waits.push_back(step.until - now);
          now = step.until;
          break;
        case Kind::kGiveUp:
          end = step.status;
          return;
      }
    }
    FAIL() << "it never gives up";
  }

  Pull pull;
  Instant now;
  int lookups = 0;
  std::vector<Peer> fetched;
  std::vector<Duration> waits;
  absl::Status end;
};

TEST(PullTest, AsksWhoThePeersAreAndThenEachOnce) {
  Trial run(Pull("f", {}, 1));
  run.ToTheEnd({kTwo, kThree, kFour, kThree}, [](const Peer&) { return Failure::kAbsent; });
  EXPECT_THAT(run.fetched, testing::UnorderedElementsAre(kTwo, kThree, kFour));
  EXPECT_EQ(run.lookups, 1);
  EXPECT_TRUE(run.waits.empty());
  EXPECT_EQ(run.end.code(), absl::StatusCode::kNotFound);
}

TEST(PullTest, SaysTheSameUntilItIsAnswered) {
  Pull pull("f", {}, 1);
  EXPECT_EQ(pull.Next({}).kind, Kind::kLookup);
  EXPECT_EQ(pull.Next({}).kind, Kind::kLookup);
  pull.HandlePeers({kTwo, kThree});
  const Peer first = pull.Next({}).peer;
  EXPECT_EQ(pull.Next({}).kind, Kind::kFetch);
  EXPECT_EQ(pull.Next({}).peer, first);
}

TEST(PullTest, TriesAgainWithGrowingWaitsWhileAPeerIsBusyOrBroken) {
  for (const Failure failure : {Failure::kBusy, Failure::kBroken}) {
    PullOptions options;
    options.rounds_max = 5;
    Trial run(Pull("f", options, 7));
    run.ToTheEnd({kTwo, kThree},
                 [&](const Peer& peer) { return peer == kTwo ? failure : Failure::kAbsent; });
    EXPECT_EQ(run.lookups, 5);
    EXPECT_EQ(run.fetched.size(), 10U);
    ASSERT_EQ(run.waits.size(), 4U);
    Duration bound = options.wait_first;
    for (const Duration wait : run.waits) {
      EXPECT_GE(wait, bound / 2);
      EXPECT_LE(wait, bound);
      bound *= 2;
    }
  }
}

TEST(PullTest, NeverAsksAgainWhoSentWrongBytes) {
  Trial run(Pull("f", {}, 3));
  run.ToTheEnd({kTwo, kThree},
               [](const Peer& peer) { return peer == kTwo ? Failure::kWrong : Failure::kBusy; });
  EXPECT_EQ(std::count(run.fetched.begin(), run.fetched.end(), kTwo), 1);
  EXPECT_GT(std::count(run.fetched.begin(), run.fetched.end(), kThree), 1);
}

TEST(PullTest, AsksThoseThatBrokeAfterTheOthers) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Trial run(Pull("f", {}, seed));
    run.ToTheEnd({kTwo, kThree, kFour}, [](const Peer& peer) {
      return peer == kThree ? Failure::kBroken : Failure::kAbsent;
    });
    for (std::size_t i = 3; i < run.fetched.size(); ++i) {
      EXPECT_EQ(run.fetched[i] == kThree, i % 3 == 2) << "seed " << seed << " fetch " << i;
    }
  }
}

TEST(PullTest, SpreadsOverThePeersAndRepeatsItselfForOneSeed) {
  std::set<Peer> firsts;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Trial run(Pull("f", {}, seed));
    Trial again(Pull("f", {}, seed));
    const auto absent = [](const Peer&) { return Failure::kAbsent; };
    run.ToTheEnd(ManyPeers(10), absent);
    again.ToTheEnd(ManyPeers(10), absent);
    EXPECT_EQ(run.fetched, again.fetched);
    firsts.insert(run.fetched.front());
  }
  EXPECT_EQ(firsts.size(), 10U);
}

TEST(PullTest, BoundsTheFetchesWhateverTheNumberOfPeers) {
  PullOptions options;
  options.fetches_max = 50;
  Trial run(Pull("f", options, 1));
  run.ToTheEnd(ManyPeers(40), [](const Peer&) { return Failure::kBroken; });
  EXPECT_EQ(run.fetched.size(), 50U);
}

TEST(PullTest, ListsWhatWasTriedInItsLastWord) {
  Pull pull("sha256:ab", {.rounds_max = 1}, 1);
  EXPECT_EQ(pull.Next({}).kind, Kind::kLookup);
  pull.HandlePeers({kTwo, kThree});
  EXPECT_EQ(pull.Next({}).kind, Kind::kFetch);
  pull.HandleFailure(Failure::kBroken, "connection refused");
  EXPECT_EQ(pull.Next({}).kind, Kind::kFetch);
  pull.HandleFailure(Failure::kBusy, "16 transfers already");
  const std::string message(pull.Next({}).status.message());
  for (const std::string part :
       {"sha256:ab", "2 peers", "n2 (127.0.0.2:1000), asked once: ",
        "n3 (127.0.0.3:1000), asked once: ", "connection refused", "16 transfers already"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST(PullTest, NamesAFileThatNobodyHasOnce) {
  const std::string name = "sha256:" + std::string(64, '0');
  Trial run(Pull(name, {}, 1));
  run.ToTheEnd(ManyPeers(29), [](const Peer&) { return Failure::kAbsent; });
  EXPECT_EQ(run.end.message(), "none of 29 peers has " + name);
  Trial one(Pull(name, {}, 1));
  one.ToTheEnd({kTwo}, [](const Peer&) { return Failure::kAbsent; });
  EXPECT_EQ(one.end.message(), "none of 1 peer has " + name);
}

TEST(PullTest, TellsOnlyOfThosePeersWhoseAnswersDiffer) {
  Trial run(Pull("f", {.rounds_max = 1}, 1));
  run.ToTheEnd(ManyPeers(29), [](const Peer& peer) {
    if (peer.node == "n7") return Failure::kBroken;
    return peer.node == "n8" ? Failure::kDamaged : Failure::kAbsent;
  });
  EXPECT_EQ(run.end.message(),
            "f could not be had from any of 29 peers: n7 (127.0.0.1:1007), asked once: reason; n8 "
            "(127.0.0.1:1008), asked once: reason; the other 27 do not have it");
  EXPECT_EQ(run.end.code(), absl::StatusCode::kNotFound);
}

TEST(PullTest, KeepsItsLastWordShortEnoughForOneHeaderBlock) {
  Pull pull("f", {.rounds_max = 1}, 1);
  pull.HandlePeers(ManyPeers(500));
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(pull.Next({}).kind, Kind::kFetch);
    pull.HandleFailure(Failure::kBroken, std::string(5000, 'x'));
  }
  const std::string message(pull.Next({}).status.message());
  EXPECT_LT(message.size(), 4096U);
  EXPECT_THAT(message, HasSubstr("and 490 more"));
}

TEST(PullTest, TellsNoPeersFromNoLookup) {
  Trial nobody(Pull("f", {}, 1));
  nobody.ToTheEnd({}, [](const Peer&) { return Failure::kAbsent; });
  EXPECT_EQ(nobody.end.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(nobody.end.message()), HasSubstr("no other node"));
  EXPECT_EQ(nobody.lookups, 2);  // it may only just have come up

  Pull pull("f", {.rounds_max = 2}, 1);
  EXPECT_EQ(pull.Next({}).kind, Kind::kLookup);
  pull.HandleNoLookup("socket is missing");
  const PullStep wait = pull.Next({});
  ASSERT_EQ(wait.kind, Kind::kWait);
  EXPECT_EQ(pull.Next(wait.until - 1ns).kind, Kind::kWait);
  EXPECT_EQ(pull.Next(wait.until).kind, Kind::kLookup);
  pull.HandleNoLookup("socket is missing");
  const PullStep end = pull.Next(wait.until);
  ASSERT_EQ(end.kind, Kind::kGiveUp);
  EXPECT_EQ(end.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(end.status.message()), HasSubstr("socket is missing"));
}

}  // namespace
}  // namespace radix::pastiche
