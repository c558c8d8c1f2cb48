#include "services/confab/node_key.h"

#include <fcntl.h>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/descriptor.h"
#include "services/confab/entropy.h"

namespace radix::confab {
namespace {

constexpr std::size_t kTextSize = 2 * sizeof(NodeKeySeed) + 1;
// Where the supervisor holds a key that is not on disk.
constexpr char kHeldKey[] = "RADIX_SUPERVISOR_KEY";
constexpr std::string_view kPurpose = "radix attestation 1";

absl::Status KeyFailure(const std::filesystem::path& path) {
  return absl::FailedPreconditionError(absl::StrCat(path.string(), ": ", std::strerror(errno)));
}

// Bytes of a secret, gone when it is.
struct Wiped {
  std::array<char, kTextSize + 1> text{};
  ~Wiped() { sodium_memzero(text.data(), text.size()); }
};

absl::StatusOr<NodeKeySeed> ReadNodeKey(const std::filesystem::path& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return errno == ENOENT ? absl::NotFoundError(path.string()) : KeyFailure(path);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return KeyFailure(path);
  if ((info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path.string(), ": group or others have permissions on it; chmod 600 it"));
  }
  Wiped content;
  const ssize_t size = read(fd.get(), content.text.data(), content.text.size());
  if (size < 0) return KeyFailure(path);
  NodeKeySeed seed{};
  std::size_t read_size = 0;
  const char* end = nullptr;
  if (static_cast<std::size_t>(size) == kTextSize && content.text[kTextSize - 1] == '\n' &&
      sodium_hex2bin(seed.data(), seed.size(), content.text.data(), kTextSize - 1, nullptr,
                     &read_size, &end) == 0 &&
      read_size == seed.size()) {
    return seed;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path.string(),
                   ":1: must be one line of 64 hex digits; without the file, this "
                   "node makes itself a new identity"));
}

Wiped TextOf(const NodeKeySeed& seed) {
  Wiped content;
  sodium_bin2hex(content.text.data(), content.text.size(), seed.data(), seed.size());
  content.text[kTextSize - 1] = '\n';
  return content;
}

// Writes it whole beside `path`, then gives it that name, unless another process was first.
absl::Status KeepNodeKey(const std::filesystem::path& path, const NodeKeySeed& seed) {
  const Wiped content = TextOf(seed);
  const std::string beside = absl::StrCat(path.string(), ".new-", gettid());
  unlink(beside.c_str());  // of an earlier thread of that number
  const Descriptor fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return KeyFailure(beside);
  const bool written =
      write(fd.get(), content.text.data(), kTextSize) == ssize_t{kTextSize} && fsync(fd.get()) == 0;
  if (!written) {
    const absl::Status failure = KeyFailure(beside);
    unlink(beside.c_str());
    return failure;
  }
  const bool named = link(beside.c_str(), path.c_str()) == 0 || errno == EEXIST;
  const absl::Status failure = KeyFailure(path);
  unlink(beside.c_str());
  if (!named) return failure;
  const Descriptor folder(open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder && fsync(folder.get()) == 0 ? absl::OkStatus() : KeyFailure(path.parent_path());
}

absl::Status MakeNodeKey(const std::filesystem::path& path) {
  NodeKeySeed seed;
  FillRandom(seed);
  const absl::Status kept = KeepNodeKey(path, seed);
  sodium_memzero(seed.data(), seed.size());
  return kept;
}

// Everything that is signed; each part with its length, so that no two questions look alike.
std::string SignedText(std::string_view flock_id, std::string_view service, const KeyId& key) {
  std::string text(kPurpose);
  for (const std::string_view part :
       {flock_id, service,
        std::string_view(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size())}) {
    text += static_cast<char>(part.size());
    text += part;
  }
  return text;
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

absl::StatusOr<NodeKeySeed> LoadOrMakeNodeKey(const std::filesystem::path& state) {
  const std::filesystem::path path = state / "node.key";
  auto seed = ReadNodeKey(path);
  if (!absl::IsNotFound(seed.status())) return seed;
  if (const char* held = std::getenv(kHeldKey)) return ReadNodeKey(held);
  if (absl::Status made = MakeNodeKey(path); !made.ok()) return made;
  return ReadNodeKey(path);
}

absl::StatusOr<HeldNodeKey> HeldNodeKey::Take(const std::filesystem::path& state) {
  const std::filesystem::path path = state / "node.key";
  const auto seed = LoadOrMakeNodeKey(state);
  if (seed.ok()) return HeldNodeKey(path, Descriptor());
  if (!absl::IsFailedPrecondition(seed.status())) return seed.status();
  spdlog::error("{}; until it can be written the node's key is in memory only",
                std::string(seed.status().message()));
  NodeKeySeed made;
  FillRandom(made);
  const Wiped content = TextOf(made);
  sodium_memzero(made.data(), made.size());
  Descriptor memory(memfd_create("radix-node-key", MFD_CLOEXEC));
  if (!memory || fchmod(memory.get(), 0600) != 0 ||
      write(memory.get(), content.text.data(), kTextSize) != ssize_t{kTextSize}) {
    return absl::InternalError(absl::StrCat("the node's key in memory: ", std::strerror(errno)));
  }
  return HeldNodeKey(path, std::move(memory));
}

void HeldNodeKey::Upkeep() {
  if (!memory_ || kept_) return;
  const auto seed = ReadNodeKey(absl::StrCat("/proc/self/fd/", memory_.get()));
  kept_ = seed.ok() && KeepNodeKey(path_, *seed).ok();
}

std::string HeldNodeKey::Variable() const {
  if (!memory_) return "";
  return absl::StrCat(kHeldKey, "=/proc/", getpid(), "/fd/", memory_.get());
}

std::array<std::uint8_t, 48> IssuerSecretOf(const NodeKeySeed& seed) {
  constexpr std::string_view kIssuer = "radix issuer 1";
  std::array<std::uint8_t, 48> secret;
  crypto_generichash(secret.data(), secret.size(), Bytes(kIssuer), kIssuer.size(), seed.data(),
                     seed.size());
  return secret;
}

NodePublicKey PublicKeyOf(const NodeKeySeed& seed) {
  NodePublicKey node;
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret;
  crypto_sign_seed_keypair(node.data(), secret.data(), seed.data());
  sodium_memzero(secret.data(), secret.size());
  return node;
}

// An attestation is the node's public key, the signature, and the service's name.
std::string Attest(const NodeKeySeed& seed, std::string_view flock_id, std::string_view service,
                   const KeyId& key) {
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret;
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> node;
  std::array<unsigned char, crypto_sign_BYTES> signature;
  crypto_sign_seed_keypair(node.data(), secret.data(), seed.data());
  const std::string text = SignedText(flock_id, service, key);
  crypto_sign_detached(signature.data(), nullptr, Bytes(text), text.size(), secret.data());
  sodium_memzero(secret.data(), secret.size());
  std::string bytes(node.begin(), node.end());
  bytes.append(signature.begin(), signature.end());
  bytes += service;
  return bytes;
}

// As in "reeve" and "operator.reeve".
bool IsOfServiceName(char each) {
  return (each >= 'a' && each <= 'z') || (each >= '0' && each <= '9') || each == '-' || each == '.';
}

std::optional<Attestation> ReadAttestation(std::string_view signed_bytes, std::string_view flock_id,
                                           const KeyId& key) {
  constexpr std::size_t kHead = crypto_sign_PUBLICKEYBYTES + crypto_sign_BYTES;
  if (signed_bytes.size() <= kHead || signed_bytes.size() > kHead + Attestation::kServiceMax) {
    return std::nullopt;
  }
  Attestation attestation;
  std::memcpy(attestation.node.data(), signed_bytes.data(), attestation.node.size());
  attestation.service = signed_bytes.substr(kHead);
  // Whoever has a key of its own can sign anything; logs show this.
  if (!std::ranges::all_of(attestation.service, IsOfServiceName)) return std::nullopt;
  const std::string text = SignedText(flock_id, attestation.service, key);
  const unsigned char* const signature = Bytes(signed_bytes) + crypto_sign_PUBLICKEYBYTES;
  if (crypto_sign_verify_detached(signature, Bytes(text), text.size(), attestation.node.data()) !=
      0) {
    return std::nullopt;
  }
  return attestation;
}

}  // namespace radix::confab
