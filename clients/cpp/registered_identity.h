// Who an application is: its node's reeve knows it.

#pragma once

#include <memory>

#include "services/confab/identity.h"
#include "services/confab/node.h"
#include "services/trust/party.h"

namespace radix {

// For `self` on `node`, for example "default/shop". What it serves it serves to those that its
// reeve names, whose key they have; and it calls only whom its reeve says lets it in. Makes a key
// for each server and each channel; opens nothing before it is used.
std::shared_ptr<confab::Identity> MakeRegisteredIdentity(const confab::Node& node,
                                                         trust::Party self);

}  // namespace radix
