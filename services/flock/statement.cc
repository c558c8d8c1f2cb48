#include "services/flock/statement.h"

#include <sodium.h>

#include <algorithm>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

constexpr std::size_t kSignatureSize = crypto_sign_BYTES;
constexpr std::array<std::uint8_t, 16> kPurpose = {'f', 'l', 'o', 'c', 'k', ' ', 's', 't',
                                                   'a', 't', 'e', 'm', 'e', 'n', 't', 1};

// What is signed: what for, which bloc, and all but the signature.
std::vector<std::uint8_t> Signed(std::span<const std::uint8_t> bytes, std::uint64_t scope) {
  std::vector<std::uint8_t> text(kPurpose.size() + 8 + bytes.size());
  Writer out(text);
  out.Bytes(kPurpose);
  out.U64(scope);
  out.Bytes(bytes);
  return text;
}

}  // namespace

Accused Statement::accused_at(std::size_t index) const {
  Reader in(accused.subspan(index * 8, 8));
  const std::uint32_t slot = in.U32();
  return {slot, in.U32()};
}

std::optional<Statement> DecodeStatement(std::span<const std::uint8_t> bytes) {
  Reader in(bytes);
  Statement statement;
  statement.kind = static_cast<StatementKind>(in.U8());
  const std::size_t count = in.U8();
  statement.author = in.Id();
  statement.incarnation = in.U32();
  statement.public_key = in.ReadKey();
  statement.accused = in.Bytes(count * 8);
  in.Bytes(kSignatureSize);
  const bool leaves = statement.kind == StatementKind::kLeaves;
  if (!in.ok() || statement.kind < StatementKind::kAccuses ||
      statement.kind > StatementKind::kLeaves || count > Statement::kAccusedMax ||
      leaves != (count == 0) || statement.author.boot == 0) {
    return std::nullopt;
  }
  statement.bytes = bytes.first(kStatementSizeMin + count * 8);
  return statement;
}

bool IsSigned(const Statement& statement, std::uint64_t scope) {
  if (IsBroken(Rule::kStatementsAreSigned)) return true;
  const auto text = Signed(statement.bytes.first(statement.bytes.size() - kSignatureSize), scope);
  return crypto_sign_verify_detached(statement.bytes.last(kSignatureSize).data(), text.data(),
                                     text.size(), statement.public_key.data()) == 0;
}

Signer::Signer(const Key& identity_seed, std::uint64_t scope) : scope_(scope) {
  crypto_sign_seed_keypair(public_key_.data(), secret_.data(), identity_seed.data());
}

Signer::~Signer() { sodium_memzero(secret_.data(), secret_.size()); }

std::vector<std::uint8_t> Signer::Sign(StatementKind kind, const MemberId& author,
                                       std::uint32_t incarnation,
                                       std::span<const Accused> accused) const {
  std::vector<std::uint8_t> bytes(kStatementSizeMin + accused.size() * 8);
  Writer out(bytes);
  out.U8(static_cast<std::uint8_t>(kind));
  out.U8(static_cast<std::uint8_t>(accused.size()));
  out.Id(author);
  out.U32(incarnation);
  out.Bytes(public_key_);
  for (const Accused& each : accused) {
    out.U32(each.slot);
    out.U32(each.check);
  }
  const auto text = Signed(out.written(), scope_);
  std::array<std::uint8_t, kSignatureSize> signature;
  crypto_sign_detached(signature.data(), nullptr, text.data(), text.size(), secret_.data());
  out.Bytes(signature);
  return bytes;
}

}  // namespace radix::flock
