// What a process of a node serves, as its reeve knows it.

#pragma once

#include <string>
#include <vector>

#include "services/confab/address.h"
#include "services/confab/key_id.h"
#include "services/trust/party.h"

namespace radix::trust {

// A value.
struct GuardedEndpoint {
  Endpoint endpoint;
  Party api;
  std::string inst;
  std::string service;  // who serves it, in the same horde
  std::vector<KeyId> keys;
  std::vector<std::string> certificates;  // in which it shows them, in PEM

  bool operator==(const GuardedEndpoint&) const = default;
};

}  // namespace radix::trust
