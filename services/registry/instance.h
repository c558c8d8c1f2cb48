// The vocabulary of the registry: instances of services, and which of them are meant.

#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace radix::registry {

// Whether an instance may be called.
enum class Status : std::uint8_t { kServing, kDraining, kDead };

// Names one instance. The order is the one in which instances are listed.
struct InstanceId {
  std::string horde;   // IsName
  std::string api;     // IsApiName
  std::string inst;    // IsApiName
  std::string node;    // IsName
  std::string net_id;  // the canonical text of an Endpoint

  auto operator<=>(const InstanceId&) const = default;
};

// One running instance of a service.
struct Instance : InstanceId {
  Status status = Status::kServing;
  // Wall-clock times of the instance's node, in nanoseconds since 1970. For people only.
  std::int64_t valid_until_ns = 0;
  std::int64_t start_ns = 0;
  std::vector<std::string> labels;
  std::int32_t pid = 0;  // the process behind it, on its node; 0 for unknown
};

// Whether two instances are the same in all that a reader acts on: everything but valid_until_ns,
// which moves with every heartbeat.
bool SameToReaders(const Instance& a, const Instance& b);

// A hash of all that SameToReaders compares; equal on every machine. Not for secrets or against
// forgers: it finds copies that went astray.
std::uint64_t HashOf(const Instance& instance);

// Which instances are meant. Empty fields match everything.
struct Selector {
  std::string horde;
  std::string api;
  std::string inst;

  bool Matches(const InstanceId& id) const;
};

// Whether `text` is 1 to 63 characters of [A-Za-z0-9._-]: what an api or an inst may be called.
bool IsApiName(std::string_view text);

// OK, or InvalidArgument that begins with `field` and quotes at most the first 64 bytes of `text`.
absl::Status CheckName(const std::string& field, std::string_view text);     // IsName
absl::Status CheckApiName(const std::string& field, std::string_view text);  // IsApiName

// Whether numbers at the same place of two names have different widths, as in `ntp2_9` and
// `ntp2_10`. Such names sort by bytes otherwise than people expect.
bool NumberWidthsDiffer(std::string_view a, std::string_view b);

}  // namespace radix::registry
