// A key that an application made to call one endpoint, as reeves speak of it.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/address.h"
#include "services/confab/key_id.h"
#include "services/trust/party.h"

namespace radix::trust {

// What a caller means to find at an endpoint: an api, or one inst. The ports of those that ended
// are used again.
struct Meant {
  std::string horde;
  std::string api;   // empty: any
  std::string inst;  // empty: any

  bool operator==(const Meant&) const = default;
};

// A value.
struct Pair {
  KeyId key;
  Party caller;
  Endpoint endpoint;
  Meant meant;

  bool operator==(const Pair&) const = default;
};

// What came of it, at the endpoint's node.
struct Admission {
  KeyId key;
  absl::Status status;                             // OK: the endpoint lets it in
  std::vector<KeyId> endpoint_keys;                // which of them it shows then
  std::vector<std::string> endpoint_certificates;  // in which it does, in PEM

  bool operator==(const Admission&) const = default;
};

// Who may call an endpoint, by which key.
struct Caller {
  KeyId key;
  Party party;
  std::uint64_t node = 0;  // the fingerprint of its node's key

  bool operator==(const Caller&) const = default;
};

}  // namespace radix::trust
