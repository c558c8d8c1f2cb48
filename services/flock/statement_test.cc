#include "services/flock/statement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "services/flock/pair_keys.h"
#include "services/flock/statements.h"

namespace radix::flock {
namespace {

constexpr MemberId kAuthor{7, 77};
constexpr std::uint64_t kScope = 5;
constexpr Key kSeed{1, 2, 3};

std::vector<std::uint8_t> Sample(StatementKind kind = StatementKind::kAccuses) {
  const std::vector<Accused> accused = {{3, 33}, {4, 44}};
  return Signer(kSeed, kScope)
      .Sign(kind, kAuthor, 9,
            kind == StatementKind::kLeaves ? std::span<const Accused>() : std::span(accused));
}

TEST(StatementTest, SaysWhatItsAuthorSigned) {
  const auto bytes = Sample();
  const auto statement = DecodeStatement(bytes);
  ASSERT_TRUE(statement);
  EXPECT_EQ(statement->bytes.size(), bytes.size());
  EXPECT_EQ(statement->kind, StatementKind::kAccuses);
  EXPECT_EQ(statement->author, kAuthor);
  EXPECT_EQ(statement->incarnation, 9U);
  EXPECT_EQ(statement->public_key, PairKeys(kAuthor, kSeed, 0).public_key());
  ASSERT_EQ(statement->accused_count(), 2U);
  EXPECT_EQ(statement->accused_at(1).slot, 4U);
  EXPECT_EQ(statement->accused_at(1).check, 44U);
  EXPECT_TRUE(IsSigned(*statement, kScope));
}

TEST(StatementTest, NoByteOfItAndNoBlocCanBeExchanged) {
  const auto bytes = Sample();
  EXPECT_FALSE(IsSigned(*DecodeStatement(bytes), kScope + 1));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto forged = bytes;
    forged[i] ^= 1;
    const auto statement = DecodeStatement(forged);
    EXPECT_FALSE(statement && IsSigned(*statement, kScope)) << "byte " << i;
  }
}

TEST(StatementTest, WhatIsMalformedIsNone) {
  const auto bytes = Sample();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeStatement(std::span(bytes).first(size))) << size;
  }
  for (const int kind : {0, 3, 4, 255}) {  // 3: a good-bye that accuses
    auto other = bytes;
    other[0] = static_cast<std::uint8_t>(kind);
    EXPECT_FALSE(DecodeStatement(other)) << kind;
  }
  auto leaves = Sample(StatementKind::kLeaves);
  EXPECT_TRUE(DecodeStatement(leaves));
  leaves[0] = static_cast<std::uint8_t>(StatementKind::kAccuses);
  EXPECT_FALSE(DecodeStatement(leaves)) << "it accuses nobody";
}

TEST(StatementsTest, EachIsToldOftenEnoughAndThenNoMore) {
  // Of an accusation there are three at least, of a good-bye there is one.
  for (const auto& [kind, tellings] :
       {std::pair(StatementKind::kAccuses, 10), std::pair(StatementKind::kLeaves, 22)}) {
    Statements statements;
    const auto bytes = Sample(kind);
    const auto statement = *DecodeStatement(bytes);
    statements.Add(statement, 1000);
    int told = 0;
    for (; !statements.empty(); ++told) {
      std::vector<std::uint8_t> out;
      statements.Take(kDatagramSizeMax, out);
      EXPECT_EQ(out.size(), bytes.size());
    }
    EXPECT_EQ(told, tellings);
    EXPECT_FALSE(statements.HeardAgain(statement));
    statements.Add(statement, 1000);
    for (int i = 0; i < tellings; ++i) EXPECT_TRUE(statements.HeardAgain(statement));
    EXPECT_TRUE(statements.empty());
  }
}

TEST(StatementsTest, FewAreVerifiedAndNoneOfAForgers) {
  Statements statements;
  Instant now{100s};
  statements.NoteForger(3, now);
  EXPECT_FALSE(statements.MayVerify(3, now));
  int verified = 0;
  for (int i = 0; i < 10000; ++i, now += 100us) verified += statements.MayVerify(4, now) ? 1 : 0;
  EXPECT_LE(verified, 300);
  EXPECT_GE(verified, 250);
  now += Statements::kForgerShunned;
  EXPECT_TRUE(statements.MayVerify(3, now));
}

TEST(StatementsTest, HoldsABoundedNumberWhateverComes) {
  Statements statements;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const Accused accused{i, i};
    const auto bytes =
        Signer(kSeed, kScope).Sign(StatementKind::kAccuses, kAuthor, i, {&accused, 1});
    statements.Add(*DecodeStatement(bytes), 1000);
  }
  EXPECT_LE(statements.memory_bytes(), Statements::kMax * (kStatementSizeMax + 100));
}

}  // namespace
}  // namespace radix::flock
