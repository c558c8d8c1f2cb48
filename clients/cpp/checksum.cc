#include "clients/cpp/checksum.h"

#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace radix {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kQuotedMax = 80;

// -1 if `c` is no hex digit.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::Status Malformed(std::string_view text, const std::string& why) {
  const bool whole = text.size() <= kQuotedMax;
  return absl::InvalidArgumentError(
      absl::StrCat("'", absl::CEscape(std::string(text.substr(0, kQuotedMax))), whole ? "" : "...",
                   "' is no checksum: ", why));
}

// OpenSSL fails here only when memory has run out or its own installation is broken.
void Require(int ok) {
  if (ok == 1) return;
  std::fputs("SHA-256 is not available from OpenSSL\n", stderr);
  std::abort();
}

}  // namespace

absl::StatusOr<Checksum> Checksum::Parse(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with(kPrefix)) {
    digits.remove_prefix(kPrefix.size());
  } else if (digits.find(':') != std::string_view::npos) {
    return Malformed(text, "only sha256: is known");
  }
  for (std::size_t i = 0; i < digits.size() && i < kQuotedMax; ++i) {
    if (HexValue(digits[i]) >= 0) continue;
    return Malformed(
        text, absl::StrCat("'", absl::CEscape(std::string(1, digits[i])), "' is no hex digit"));
  }
  Checksum checksum;
  if (digits.size() != 2 * checksum.bytes.size()) {
    return Malformed(text, absl::StrCat("it has ", digits.size(), " hex digits instead of 64"));
  }
  for (std::size_t i = 0; i < checksum.bytes.size(); ++i) {
    checksum.bytes[i] =
        static_cast<std::uint8_t>(HexValue(digits[2 * i]) * 16 + HexValue(digits[2 * i + 1]));
  }
  return checksum;
}

std::string Checksum::Hex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    hex += kDigits[byte / 16];
    hex += kDigits[byte % 16];
  }
  return hex;
}

std::string Checksum::ToString() const { return std::string(kPrefix) + Hex(); }

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  Require(context_ != nullptr ? 1 : 0);
  Require(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

Sha256::~Sha256() = default;

void Sha256::Update(std::string_view data) {
  Require(EVP_DigestUpdate(context_.get(), data.data(), data.size()));
}

Checksum Sha256::Finish() {
  Checksum checksum;
  Require(EVP_DigestFinal_ex(context_.get(), checksum.bytes.data(), nullptr));
  return checksum;
}

Checksum Sha256::Of(std::string_view data) {
  Sha256 sha256;
  sha256.Update(data);
  return sha256.Finish();
}

}  // namespace radix
