#include "services/confab/client_hello.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "services/confab/random.h"

namespace radix::confab {
namespace {

using Words = std::vector<std::uint8_t>;

// What OpenSSL says first when it offers versions up to `newest`.
Words FirstWordsOf(int oldest, int newest) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), oldest);
  SSL_CTX_set_max_proto_version(context.get(), newest);
  const std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(context.get()), &SSL_free);
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), out);  // which takes both
  SSL_connect(client.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  return {bytes, bytes + size};
}

Words Tls13() { return FirstWordsOf(TLS1_2_VERSION, TLS1_3_VERSION); }

// The same hello in records of `size` bytes each.
Words InRecordsOf(std::size_t size, const Words& words) {
  Words cut;
  for (std::size_t at = 5; at < words.size(); at += size) {
    const std::size_t part = std::min(size, words.size() - at);
    cut.insert(cut.end(),
               {22, 3, 1, static_cast<std::uint8_t>(part >> 8), static_cast<std::uint8_t>(part)});
    cut.insert(cut.end(), words.begin() + static_cast<std::ptrdiff_t>(at),
               words.begin() + static_cast<std::ptrdiff_t>(at + part));
  }
  return cut;
}

TEST(ClientHelloTest, WhoOffersTls13IsHeard) {
  EXPECT_EQ(ReadClientHello(Tls13()), ClientHello::kTls13);
  EXPECT_EQ(ReadClientHello(FirstWordsOf(TLS1_3_VERSION, TLS1_3_VERSION)), ClientHello::kTls13);
}

TEST(ClientHelloTest, WhoOffersOnlyOlderVersionsIsRefused) {
  EXPECT_EQ(ReadClientHello(FirstWordsOf(TLS1_2_VERSION, TLS1_2_VERSION)), ClientHello::kRefused);
}

TEST(ClientHelloTest, EveryBeginningOfItIsIncomplete) {
  const Words whole = Tls13();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ReadClientHello(std::span(whole).first(size)), ClientHello::kIncomplete) << size;
  }
}

TEST(ClientHelloTest, MayComeInSeveralRecords) {
  const Words cut = InRecordsOf(7, Tls13());
  EXPECT_EQ(ReadClientHello(cut), ClientHello::kTls13);
  for (std::size_t size = 0; size < cut.size(); ++size) {
    EXPECT_EQ(ReadClientHello(std::span(cut).first(size)), ClientHello::kIncomplete) << size;
  }
}

TEST(ClientHelloTest, WhatIsNoHelloIsRefusedByItsFirstBytes) {
  for (const char* text :
       {"PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\n", "\x15\x03\x01", "\x16\x02"}) {
    const std::string words(text);
    EXPECT_EQ(ReadClientHello({reinterpret_cast<const std::uint8_t*>(words.data()), words.size()}),
              ClientHello::kRefused)
        << words;
  }
}

TEST(ClientHelloTest, WhatNeverEndsIsRefused) {
  Words endless = {22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc};
  endless.resize(kClientHelloMax, 0);
  EXPECT_EQ(ReadClientHello(endless), ClientHello::kRefused);
  EXPECT_EQ(ReadClientHello(std::span(endless).first(9)), ClientHello::kRefused)
      << "it says itself how long it will be";
}

// Under sanitizers this looks for reads beyond the end.
TEST(ClientHelloTest, AlteredHellosDoNoHarm) {
  const Words whole = Tls13();
  int heard = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    Random random(seed);
    Words altered = random.Chance(0.3) ? InRecordsOf(1 + random.Below(60), whole) : whole;
    for (std::uint64_t i = 0; i <= random.Below(4); ++i) {
      altered[random.Below(altered.size())] = static_cast<std::uint8_t>(random.Below(256));
    }
    altered.resize(random.Chance(0.5) ? altered.size() : random.Below(altered.size() + 1));
    const std::vector<std::uint8_t> exact(altered.begin(), altered.end());
    if (ReadClientHello(exact) == ClientHello::kTls13) ++heard;
  }
  EXPECT_GT(heard, 1000);
  EXPECT_LT(heard, 19'000);
}

}  // namespace
}  // namespace radix::confab
