#include "tests/sim/remembered_crypto.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace radix::sim {
namespace {

using Bytes = std::span<const std::uint8_t>;

// What was asked, all of it, and the answer. A later question may take the place of an earlier one.
class Memory {
 public:
  struct Entry {
    std::vector<std::uint8_t> question;
    std::vector<std::uint8_t> answer;
    int code = 0;
  };

  explicit Memory(std::size_t entries) : entries_(entries) {}

  // The entry of `question`, if it was asked before; otherwise one that is to be filled.
  // `hash`: 8 bytes of it that differ from question to question.
  Entry& Of(std::initializer_list<Bytes> question, const std::uint8_t* hash, bool& known) {
    std::uint64_t at = 0;
    std::memcpy(&at, hash, sizeof(at));
    Entry& entry = entries_[at % entries_.size()];
    asked_.clear();
    for (const Bytes part : question) asked_.insert(asked_.end(), part.begin(), part.end());
    known = entry.question == asked_;
    if (!known) entry.question = asked_;
    return entry;
  }

 private:
  std::vector<Entry> entries_;
  std::vector<std::uint8_t> asked_;
};

// Primes. Few: what is on its way at one time; more would leave the processor's cache, and cost
// what it saves. Some: what is signed in a while. Many: pairs of nodes.
constexpr std::size_t kFew = 509;
constexpr std::size_t kSome = 16381;
constexpr std::size_t kMany = 262139;

bool remembers = false;

extern "C" {

int RealVerify(const unsigned char* signature, const unsigned char* text, unsigned long long size,
               const unsigned char* key) __asm__("__real_crypto_sign_verify_detached");
int Verify(const unsigned char* signature, const unsigned char* text, unsigned long long size,
           const unsigned char* key) __asm__("__wrap_crypto_sign_verify_detached");
int RealConvert(unsigned char* out,
                const unsigned char* key) __asm__("__real_crypto_sign_ed25519_pk_to_curve25519");
int Convert(unsigned char* out,
            const unsigned char* key) __asm__("__wrap_crypto_sign_ed25519_pk_to_curve25519");
int RealPublic(unsigned char* out,
               const unsigned char* secret) __asm__("__real_crypto_scalarmult_base");
int Public(unsigned char* out,
           const unsigned char* secret) __asm__("__wrap_crypto_scalarmult_base");
int RealExchange(unsigned char* out, const unsigned char* secret,
                 const unsigned char* theirs) __asm__("__real_crypto_scalarmult");
int Exchange(unsigned char* out, const unsigned char* secret,
             const unsigned char* theirs) __asm__("__wrap_crypto_scalarmult");
int RealSeal(unsigned char* out, unsigned long long* out_size, const unsigned char* text,
             unsigned long long size, const unsigned char* data, unsigned long long data_size,
             const unsigned char* unused, const unsigned char* nonce,
             const unsigned char* key) __asm__("__real_crypto_aead_xchacha20poly1305_ietf_encrypt");
int Seal(unsigned char* out, unsigned long long* out_size, const unsigned char* text,
         unsigned long long size, const unsigned char* data, unsigned long long data_size,
         const unsigned char* unused, const unsigned char* nonce,
         const unsigned char* key) __asm__("__wrap_crypto_aead_xchacha20poly1305_ietf_encrypt");
int RealOpen(unsigned char* out, unsigned long long* out_size, unsigned char* unused,
             const unsigned char* sealed, unsigned long long size, const unsigned char* data,
             unsigned long long data_size, const unsigned char* nonce,
             const unsigned char* key) __asm__("__real_crypto_aead_xchacha20poly1305_ietf_decrypt");
int Open(unsigned char* out, unsigned long long* out_size, unsigned char* unused,
         const unsigned char* sealed, unsigned long long size, const unsigned char* data,
         unsigned long long data_size, const unsigned char* nonce,
         const unsigned char* key) __asm__("__wrap_crypto_aead_xchacha20poly1305_ietf_decrypt");

int Verify(const unsigned char* signature, const unsigned char* text, unsigned long long size,
           const unsigned char* key) {
  static Memory memory(kSome);
  if (!remembers) return RealVerify(signature, text, size, key);
  bool known = false;
  Memory::Entry& entry =
      memory.Of({Bytes(signature, crypto_sign_BYTES), Bytes(key, crypto_sign_PUBLICKEYBYTES),
                 Bytes(text, static_cast<std::size_t>(size))},
                signature, known);
  if (!known) entry.code = RealVerify(signature, text, size, key);
  return entry.code;
}

int Convert(unsigned char* out, const unsigned char* key) {
  static Memory memory(kSome);
  if (!remembers) return RealConvert(out, key);
  bool known = false;
  Memory::Entry& entry = memory.Of({Bytes(key, crypto_sign_PUBLICKEYBYTES)}, key, known);
  if (!known) {
    entry.answer.resize(crypto_scalarmult_BYTES);
    entry.code = RealConvert(entry.answer.data(), key);
  }
  std::ranges::copy(entry.answer, out);
  return entry.code;
}

int Public(unsigned char* out, const unsigned char* secret) {
  static Memory memory(kSome);
  if (!remembers) return RealPublic(out, secret);
  bool known = false;
  Memory::Entry& entry = memory.Of({Bytes(secret, crypto_scalarmult_SCALARBYTES)}, secret, known);
  if (!known) {
    entry.answer.resize(crypto_scalarmult_BYTES);
    entry.code = RealPublic(entry.answer.data(), secret);
  }
  std::ranges::copy(entry.answer, out);
  return entry.code;
}

// Both sides come to the same secret, so that the question is the pair of their public keys.
int Exchange(unsigned char* out, const unsigned char* secret, const unsigned char* theirs) {
  static Memory memory(kMany);
  if (!remembers) return RealExchange(out, secret, theirs);
  std::array<std::uint8_t, crypto_scalarmult_BYTES> ours;
  Public(ours.data(), secret);
  Bytes low(ours);
  Bytes high(theirs, ours.size());
  if (std::ranges::lexicographical_compare(high, low)) std::swap(low, high);
  bool known = false;
  std::array<std::uint8_t, 8> hash;
  for (std::size_t i = 0; i < hash.size(); ++i) hash[i] = low[i] ^ high[i + 8];
  Memory::Entry& entry = memory.Of({low, high}, hash.data(), known);
  if (!known) {
    entry.answer.resize(crypto_scalarmult_BYTES);
    entry.code = RealExchange(entry.answer.data(), secret, theirs);
  }
  std::ranges::copy(entry.answer, out);
  return entry.code;
}

// What was sealed opens to what it was: whoever altered a byte of it asks another question.
Memory::Entry& Sealed(Bytes sealed, Bytes data, const unsigned char* nonce,
                      const unsigned char* key, bool& known) {
  static Memory memory(kFew);
  return memory.Of({Bytes(key, crypto_aead_xchacha20poly1305_ietf_KEYBYTES),
                    Bytes(nonce, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES), data, sealed},
                   sealed.last(8).data(), known);
}

int Seal(unsigned char* out, unsigned long long* out_size, const unsigned char* text,
         unsigned long long size, const unsigned char* data, unsigned long long data_size,
         const unsigned char* unused, const unsigned char* nonce, const unsigned char* key) {
  if (!remembers) {
    return RealSeal(out, out_size, text, size, data, data_size, unused, nonce, key);
  }
  static std::vector<std::uint8_t> plain;
  plain.assign(text, text + size);
  RealSeal(out, out_size, text, size, data, data_size, unused, nonce, key);
  bool known = false;
  Memory::Entry& entry = Sealed({out, static_cast<std::size_t>(*out_size)},
                                {data, static_cast<std::size_t>(data_size)}, nonce, key, known);
  entry.answer = plain;
  entry.code = 0;
  return 0;
}

int Open(unsigned char* out, unsigned long long* out_size, unsigned char* unused,
         const unsigned char* sealed, unsigned long long size, const unsigned char* data,
         unsigned long long data_size, const unsigned char* nonce, const unsigned char* key) {
  if (!remembers || size < crypto_aead_xchacha20poly1305_ietf_ABYTES) {
    return RealOpen(out, out_size, unused, sealed, size, data, data_size, nonce, key);
  }
  bool known = false;
  Memory::Entry& entry = Sealed({sealed, static_cast<std::size_t>(size)},
                                {data, static_cast<std::size_t>(data_size)}, nonce, key, known);
  if (!known) {
    entry.answer.resize(static_cast<std::size_t>(size) - crypto_aead_xchacha20poly1305_ietf_ABYTES);
    entry.code =
        RealOpen(entry.answer.data(), out_size, unused, sealed, size, data, data_size, nonce, key);
    if (entry.code != 0) entry.answer.clear();
  }
  std::ranges::copy(entry.answer, out);
  *out_size = entry.answer.size();
  return entry.code;
}

}  // extern "C"
}  // namespace

void RememberCrypto() { remembers = true; }

}  // namespace radix::sim
