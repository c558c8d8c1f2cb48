// How a client wants to be connected.

#pragma once

#include <functional>
#include <string>

#include "services/confab/time.h"

namespace radix {

// Which instances may be called: those of an api, the best of them first, or those of one inst.
// Exactly one of the two is set.
struct Selector {
  std::string horde;  // Default: RADIX_HORDE, which picket sets, else `default`.
  std::string api;    // for example "galumph2"
  std::string inst;   // for example "galumph2_3"
};

// The instance that a client is bound to.
struct Bound {
  std::string inst;
  std::string net_id;
  std::string node;
};

struct ConnectOptions {
  // The longest time between two looks at what there is. News come by themselves within
  // milliseconds; this only bounds what a lost message costs.
  Duration rescan = 30s;
  // How long `->` waits while there is no instance, before calls fail with UNAVAILABLE. 0: they
  // fail at once, also right after Connect, which takes some milliseconds to find the first.
  Duration wait = 5s;
  // The limit of unary calls whose context has no deadline. 0: none.
  Duration default_deadline = 10s;
  // Called whenever calls go to another connection than before, the first included. From a thread
  // of Connect's own, which it must not block.
  std::function<void(const Bound& bound)> on_rebound;
};

}  // namespace radix
