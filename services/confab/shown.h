// What a peer showed of itself when it connected.

#pragma once

#include <string>

#include "services/confab/key_id.h"

namespace radix::confab {

// That whoever showed it has the private key is TLS's to prove; nothing else in it is believed.
struct Shown {
  KeyId key;
  std::string attestation;  // as it stands there, not verified; empty for none
};

}  // namespace radix::confab
