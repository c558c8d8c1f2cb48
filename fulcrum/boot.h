// Brings a node up, keeps it up, and takes it down.

#pragma once

#include "services/confab/node.h"

namespace radix::fulcrum {

// Runs the node until SIGTERM or SIGINT, then drains and leaves. Returns the exit status: 0, or 1
// when the node could not even begin.
int Boot(const confab::ServiceArguments& node);

}  // namespace radix::fulcrum
