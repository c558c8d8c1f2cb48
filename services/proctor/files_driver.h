// Makes files local, through this node's pastiche.

#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "services/confab/node.h"
#include "services/confab/time.h"

namespace radix::proctor {

// Has the pastiche of `node` pull each of `checksums` (`sha256:HEX`), one after another, within
// `limit` all in all. `done` is called once, with the first failure, on one of gRPC's threads; or
// at once, here, when there is nothing to pull.
void PullFiles(const confab::Node& node, const std::set<std::string>& checksums, Duration limit,
               std::function<void(absl::Status)> done);

}  // namespace radix::proctor
