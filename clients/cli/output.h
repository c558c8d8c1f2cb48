// What the commands print: tables for people, JSON for programs, errors on stderr.

#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace radix::cli {

// In the order in which fields were set, as the contract lists them.
using Json = nlohmann::ordered_json;

constexpr int kExitOk = 0;
constexpr int kExitRefused = 1;  // refused, not found, or not reached
constexpr int kExitUsage = 2;

// Prints `rows`, the first of which is the heading, with their columns aligned.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

// Prints one JSON value, indented.
void PrintJson(const Json& value);

// Prints what was done: `json` for programs, the line `text` for people. Returns kExitOk.
int Report(bool as_json, const Json& json, const std::string& text);

// Prints `radix: MESSAGE` on stderr; returns the exit code.
int Fail(const absl::Status& status);
int FailUsage(const absl::Status& status);

}  // namespace radix::cli
