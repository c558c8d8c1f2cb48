// What a person should look at again in rules that can be read: rules that never decide, and names
// that nobody has.

#pragma once

#include <set>
#include <string>
#include <vector>

#include "services/trust/party.h"
#include "services/trust/rules.h"

namespace radix::trust {

// A rule that never decides, because another one before it matches all that it matches. Both are
// the caller's: they live as long as its rules do.
struct NeverReached {
  const Rule* rule = nullptr;
  const Rule* decides = nullptr;
};

// Those of operators. Only single rules before them are looked at: what several of them match
// together is not found.
std::vector<NeverReached> FindNeverReached(const Rules& rules);

// Who there is.
struct KnownParties {
  std::set<Party> subjects;  // who calls and serves: what manifests call them
  std::set<Party> apis;      // what is called and served

  // The basic services, as the built-in rules name them, and default/operator: what a program is
  // that no manifest runs.
  static KnownParties Basic();
};

// A side of a rule that nobody who is known has.
struct UnknownParty {
  int line = 0;
  std::string party;    // as the rule has it
  bool is_api = false;  // else it is who calls or serves
  bool exact = false;   // else it is a pattern that matches nobody

  bool operator==(const UnknownParty&) const = default;
};

// Those in the rules of operators, in the order of their lines.
std::vector<UnknownParty> FindUnknown(const Rules& rules, const KnownParties& known);

}  // namespace radix::trust
