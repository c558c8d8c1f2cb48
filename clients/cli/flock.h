// How `radix flock` shows events.

#pragma once

#include <string>

#include "clients/cli/output.h"
#include "radix/flock/v1/flock.pb.h"

namespace radix::cli {

// An event, as -o json has it.
Json EventToJson(const flock::v1::Event& event);

// An event as one line: when, what, whom, on what evidence, under which epoch.
std::string EventToLine(const flock::v1::Event& event);

// `n1 (127.88.0.1)`, or only the address while the name is not known.
std::string NameAndAddress(const std::string& node, const std::string& address);

}  // namespace radix::cli
