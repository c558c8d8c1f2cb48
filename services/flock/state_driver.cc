#include "services/flock/state_driver.h"

#include <fcntl.h>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/confab/charter_file.h"
#include "services/confab/descriptor.h"
#include "services/confab/entropy.h"
#include "services/confab/node_key.h"
#include "services/confab/replace_file.h"
#include "services/flock/introduction_codec.h"

namespace radix::flock {
namespace {

constexpr std::size_t kFileSizeMax = 16 << 10;
constexpr std::size_t kRevokedSizeMax = 1 << 20;
constexpr std::size_t kPeersMax = 64;

absl::Status Failure(const std::filesystem::path& path) {
  return absl::FailedPreconditionError(absl::StrCat(path.string(), ": ", std::strerror(errno)));
}

// A file's text and mode. NotFound when there is none; FailedPrecondition when it cannot be read.
struct Content {
  std::string text;
  mode_t mode = 0;
};
absl::StatusOr<Content> ReadWhole(const std::filesystem::path& path,
                                  std::size_t most = kFileSizeMax) {
  const confab::Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return errno == ENOENT ? absl::NotFoundError(path.string()) : Failure(path);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return Failure(path);
  Content content{std::string(most, '\0'), info.st_mode};
  const ssize_t size = read(fd.get(), content.text.data(), content.text.size());
  if (size < 0) return Failure(path);
  content.text.resize(static_cast<std::size_t>(size));
  return content;
}

std::string Hex(std::span<const std::uint8_t> bytes) {
  std::string text(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

// Finds damage.
std::string Sum(std::string_view text) {
  std::uint8_t sum[16];
  crypto_generichash(sum, sizeof sum, reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  return Hex(sum);
}

// `epoch 7 holder 127.88.0.2 boot 0123456789abcdef`, and a checksum.
std::string PromiseText(const RecordedPromise& promise) {
  char text[160];
  std::snprintf(text, sizeof text, "epoch %" PRIu64 " holder %s boot %016" PRIx64, promise.epoch,
                promise.holder.ToString().c_str(), promise.boot);
  return absl::StrCat(text, " sum ", Sum(text), "\n");
}

std::optional<RecordedPromise> ReadPromiseText(const std::string& text) {
  RecordedPromise promise;
  char holder[64] = "";
  if (std::sscanf(text.c_str(), "epoch %" SCNu64 " holder %63s boot %16" SCNx64, &promise.epoch,
                  holder, &promise.boot) != 3 ||
      promise.epoch > kEpochMax) {  // then it would never grant anything again
    return std::nullopt;
  }
  const auto ip = IpAddress::Parse(holder);
  if (!ip.ok()) return std::nullopt;
  promise.holder = *ip;
  if (PromiseText(promise) != text) return std::nullopt;  // the checksum included
  return promise;
}

// 16 hex digits a line, and at last a checksum.
std::string RevokedText(const std::vector<std::uint64_t>& fingerprints) {
  std::string text;
  for (const std::uint64_t fingerprint : fingerprints) {
    absl::StrAppend(&text, absl::Hex(fingerprint, absl::kZeroPad16), "\n");
  }
  return absl::StrCat(text, "sum ", Sum(text), "\n");
}

}  // namespace

absl::StatusOr<std::vector<std::uint64_t>> LoadRevoked(const std::filesystem::path& state) {
  const std::filesystem::path path = state / "revoked";
  const auto content = ReadWhole(path, kRevokedSizeMax);
  if (absl::IsNotFound(content.status())) return std::vector<std::uint64_t>();
  if (!content.ok()) return absl::DataLossError(std::string(content.status().message()));
  std::vector<std::uint64_t> fingerprints;
  const std::string& text = content->text;
  for (std::size_t at = 0; at + 17 <= text.size() && text[at + 16] == '\n'; at += 17) {
    std::uint64_t fingerprint = 0;
    if (!absl::SimpleHexAtoi(text.substr(at, 16), &fingerprint)) break;
    fingerprints.push_back(fingerprint);
  }
  if (RevokedText(fingerprints) == text) return fingerprints;
  return absl::DataLossError(absl::StrCat(path.string(), ": is damaged"));
}

absl::Status StoreRevoked(const std::filesystem::path& state,
                          const std::vector<std::uint64_t>& fingerprints) {
  return confab::ReplaceFile(state / "revoked", RevokedText(fingerprints));
}

absl::StatusOr<std::optional<RecordedPromise>> LoadPromise(const std::filesystem::path& state) {
  const std::filesystem::path path = state / "epoch";
  const auto content = ReadWhole(path);
  if (absl::IsNotFound(content.status())) return std::optional<RecordedPromise>();
  if (!content.ok()) return absl::DataLossError(std::string(content.status().message()));
  const auto promise = ReadPromiseText(content->text);
  if (promise) return promise;
  return absl::DataLossError(absl::StrCat(path.string(), ": is damaged"));
}

absl::Status StorePromise(const std::filesystem::path& state, const RecordedPromise& promise) {
  return confab::ReplaceFile(state / "epoch", PromiseText(promise));
}

std::vector<IpAddress> LoadPeers(const std::filesystem::path& state) {
  std::vector<IpAddress> peers;
  const auto content = ReadWhole(state / "peers");
  if (!content.ok()) return peers;
  const std::string& text = content->text;
  for (std::size_t start = 0; start < text.size() && peers.size() < kPeersMax;) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const auto ip = IpAddress::Parse(text.substr(start, end - start));
    if (ip.ok()) peers.push_back(*ip);
    start = end + 1;
  }
  return peers;
}

absl::Status StorePeers(const std::filesystem::path& state, const std::vector<IpAddress>& peers) {
  std::string text;
  for (std::size_t i = 0; i < std::min(peers.size(), kPeersMax); ++i) {
    absl::StrAppend(&text, peers[i].ToString(), "\n");
  }
  return confab::ReplaceFile(state / "peers", text);
}

absl::StatusOr<Config> LoadConfig(const confab::ServiceArguments& arguments) {
  const confab::Node& node = arguments.node;
  const AddressRanges& ranges = arguments.charter.ranges;
  Config config;
  config.charter = arguments.charter;
  const auto slot = ranges.SlotOf(node.address);
  if (!slot) {
    return absl::InvalidArgumentError(absl::StrCat("--address: ", node.address.ToString(),
                                                   " is in none of the charter's ranges, ",
                                                   ranges.ToString()));
  }
  config.slot = *slot;
  while (config.boot == 0) config.boot = confab::RandomNumber();
  confab::FillRandom(config.entropy);
  auto introduction = EncodeIntroduction({node.name, node.labels});
  if (!introduction.ok()) return introduction.status();
  config.introduction = *std::move(introduction);
  auto keys = confab::LoadKeys(arguments.charter_path, arguments.charter);
  if (!keys.ok()) return keys.status();
  config.secondary_keys = *std::move(keys);
  config.has_key_file = true;
  auto node_key = confab::LoadOrMakeNodeKey(node.state);
  if (!node_key.ok()) return node_key.status();
  config.identity_seed = *node_key;

  config.has_disk = true;
  const auto recorded = LoadPromise(node.state);
  if (!recorded.ok()) {
    spdlog::error(
        "{}: what this node promised before it stopped is lost; it waits until every lease from "
        "before has ended, then goes on without that promise",
        std::string(recorded.status().message()));
  } else if (*recorded) {
    // A holder outside of the ranges holds nothing here; its epoch still bars lesser ones.
    const auto holder = ranges.SlotOf((*recorded)->holder);
    config.recorded = {(*recorded)->epoch,
                       holder ? MemberId{*holder, (*recorded)->boot} : MemberId{}};
  }
  auto revoked = LoadRevoked(node.state);
  if (revoked.ok()) {
    config.revoked = *std::move(revoked);
  } else {
    spdlog::error("{}: which nodes were revoked this node learns only from its dean",
                  std::string(revoked.status().message()));
  }
  for (const IpAddress& peer : LoadPeers(node.state)) {
    const auto known = ranges.SlotOf(peer);
    if (known) config.remembered.push_back(*known);
  }
  return config;
}

}  // namespace radix::flock
