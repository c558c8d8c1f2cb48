#include "services/confab/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "services/confab/node_key.h"

namespace radix::confab {
namespace {

using ::testing::HasSubstr;

TlsKey Made(const TlsKey::MakeAttestation& attest = nullptr) {
  auto key = TlsKey::Make(attest);
  EXPECT_TRUE(key.ok()) << key.status();
  return *std::move(key);
}

NodeKeySeed Seed(std::uint8_t fill) {
  NodeKeySeed seed;
  seed.fill(fill);
  return seed;
}

TEST(CertificateTest, ShowsItsKey) {
  const TlsKey key = Made();
  const auto shown = ReadCertificate(key.certificate_pem());
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->key, key.id());
  EXPECT_EQ(shown->attestation, "");
}

TEST(CertificateTest, NoTwoKeysAreTheSame) { EXPECT_NE(Made().id(), Made().id()); }

TEST(CertificateTest, HoldsNoPrivateKey) {
  const TlsKey key = Made();
  EXPECT_THAT(key.private_pem(), HasSubstr("PRIVATE KEY"));
  EXPECT_EQ(key.certificate_pem().find("PRIVATE"), std::string::npos);
}

TEST(CertificateTest, CarriesAnAttestationOfItsKey) {
  const NodeKeySeed seed = Seed(7);
  const TlsKey key = Made([&](const KeyId& id) { return Attest(seed, "bloc", "reeve", id); });
  const auto shown = ReadCertificate(key.certificate_pem());
  ASSERT_TRUE(shown.ok());
  const auto read = ReadAttestation(shown->attestation, "bloc", shown->key);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->service, "reeve");
}

TEST(CertificateTest, WhatIsNoneIsRefused) {
  EXPECT_FALSE(ReadCertificate("").ok());
  EXPECT_FALSE(
      ReadCertificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").ok());
  EXPECT_FALSE(ReadCertificate(std::string(1 << 20, 'A')).ok());
  std::string cut = Made().certificate_pem();
  cut.resize(cut.size() / 2);
  EXPECT_FALSE(ReadCertificate(cut).ok());
}

TEST(AttestationTest, HoldsForOneFlockServiceAndKey) {
  const KeyId key = Made().id();
  const std::string bytes = Attest(Seed(7), "bloc", "reeve", key);
  const auto read = ReadAttestation(bytes, "bloc", key);
  ASSERT_TRUE(read);
  EXPECT_EQ(ReadAttestation(Attest(Seed(7), "bloc", "steward", key), "bloc", key)->node,
            read->node);
  EXPECT_NE(ReadAttestation(Attest(Seed(8), "bloc", "reeve", key), "bloc", key)->node, read->node);
  EXPECT_FALSE(ReadAttestation(bytes, "other", key));
  EXPECT_FALSE(ReadAttestation(bytes, "bloc", Made().id()));
}

TEST(AttestationTest, AnyOtherByteBreaksIt) {
  const KeyId key = Made().id();
  const std::string bytes = Attest(Seed(7), "bloc", "reeve", key);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string altered = bytes;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    EXPECT_FALSE(ReadAttestation(altered, "bloc", key)) << i;
  }
  EXPECT_FALSE(ReadAttestation(bytes.substr(0, bytes.size() - 1), "bloc", key));
  EXPECT_FALSE(ReadAttestation(bytes + "s", "bloc", key));
  EXPECT_FALSE(ReadAttestation("", "bloc", key));
  EXPECT_FALSE(ReadAttestation(std::string(1000, 'x'), "bloc", key));
}

// Whoever has a key of its own can sign any service, and logs show it.
TEST(AttestationTest, WhatIsNoNameOfAServiceIsNone) {
  const KeyId key = Made().id();
  EXPECT_TRUE(ReadAttestation(Attest(Seed(7), "bloc", "operator.reeve-2", key), "bloc", key));
  for (const char* const name : {"a\nreeve[1] error: forged", "\x1b[31m", "Reeve", "a b", "\xff"}) {
    EXPECT_FALSE(ReadAttestation(Attest(Seed(7), "bloc", name, key), "bloc", key)) << name;
  }
}

// Where a text ends and the next begins cannot be moved.
TEST(AttestationTest, NoServiceBorrowsFromTheFlocksName) {
  const KeyId key = Made().id();
  const std::string bytes = Attest(Seed(7), "bloc", "reeve", key);
  const std::string moved = bytes.substr(0, 96) + "creeve";
  EXPECT_FALSE(ReadAttestation(moved, "blo", key));
}

TEST(KeyIdTest, IsWrittenAsItIsRead) {
  const KeyId id = Made().id();
  EXPECT_EQ(KeyId::Parse(id.ToString()), id);
  EXPECT_EQ(id.ToString().size(), 64U);
  EXPECT_FALSE(KeyId::Parse(""));
  EXPECT_FALSE(KeyId::Parse(id.ToString() + "0"));
  EXPECT_FALSE(KeyId::Parse(std::string(64, 'g')));
  EXPECT_FALSE(KeyId::Parse(std::string(64, 'A')));
}

}  // namespace
}  // namespace radix::confab
