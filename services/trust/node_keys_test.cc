#include "services/trust/node_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "services/confab/random.h"

namespace radix::trust {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

IpAddress Host(int host) { return IpAddress::Parse("127.0.0." + std::to_string(host)).value(); }

TEST(NodeKeysTest, TellsEachReaderWhatItLacks) {
  NodeKeys keys;
  EXPECT_TRUE(keys.Replace({{Host(1), 11}, {Host(2), 22}}));
  const NodeKeys::Changes all = keys.Since(std::nullopt);
  EXPECT_TRUE(all.snapshot);
  EXPECT_THAT(all.nodes, ElementsAre(NodeKey{Host(1), 11}, NodeKey{Host(2), 22}));

  EXPECT_FALSE(keys.Replace({{Host(2), 22}, {Host(1), 11}}));
  EXPECT_THAT(keys.Since(all.revision).nodes, IsEmpty());

  EXPECT_TRUE(keys.Replace({{Host(2), 23}, {Host(3), 33}}));
  const NodeKeys::Changes later = keys.Since(all.revision);
  EXPECT_FALSE(later.snapshot);
  EXPECT_THAT(later.nodes, ElementsAre(NodeKey{Host(1), std::nullopt}, NodeKey{Host(2), 23},
                                       NodeKey{Host(3), 33}));
  EXPECT_THAT(keys.Since(std::nullopt).nodes,
              ElementsAre(NodeKey{Host(2), 23}, NodeKey{Host(3), 33}));
}

// Readers that look at random times, some anew, always come to what is there.
TEST(NodeKeysTest, EveryReaderComesToTheSame) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    struct Reader {
      std::optional<std::uint64_t> revision;
      std::map<IpAddress, std::uint64_t> known;
    };
    NodeKeys keys;
    std::vector<Reader> readers(4);
    std::vector<NodeKey> living;
    for (int step = 0; step < 60; ++step) {
      living.clear();
      for (int host = 1; host <= 6; ++host) {
        if (random.Chance(0.6)) living.push_back({Host(host), random.Below(3)});
      }
      keys.Replace(living);
      for (Reader& reader : readers) {
        if (step + 1 < 60 && random.Chance(0.5)) continue;
        if (random.Chance(0.1)) reader.revision.reset();
        const NodeKeys::Changes changes = keys.Since(reader.revision);
        if (changes.snapshot) reader.known.clear();
        for (const NodeKey& node : changes.nodes) {
          reader.known.erase(node.address);
          if (node.fingerprint) reader.known[node.address] = *node.fingerprint;
        }
        reader.revision = changes.revision;
        std::map<IpAddress, std::uint64_t> expected;
        for (const NodeKey& node : living) expected[node.address] = *node.fingerprint;
        ASSERT_EQ(reader.known, expected) << "seed " << seed << ", step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace radix::trust
