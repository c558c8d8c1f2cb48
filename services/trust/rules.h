// Who may call whom, and who may serve what: a short list that a person writes.
//
//   # The shop's front may call the cart; nobody else may.
//   call  shop/front   shop/cart2
//   deny  call  */*    shop/cart2
//   call  default/*    default/*
//   serve default/*    default/*
//
// A line is `[deny] call CALLER API` or `[deny] serve SERVICE API`, each side written horde/name,
// where a part may end in `*`. What stands behind a `#` is not read. The first line that matches
// decides; where none does, the answer is no.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/trust/party.h"

namespace radix::trust {

enum class Verb : std::uint8_t {
  kCall,   // the subject calls instances of the api
  kServe,  // the subject registers instances of the api
};

struct Rule {
  bool allows = true;
  Verb verb = Verb::kCall;
  Pattern subject;
  Pattern api;
  int line = 0;  // where it stands; 0 for a rule that is built in

  std::string ToString() const;
};

// What the rules say about one question.
struct Verdict {
  bool allowed = false;
  const Rule* rule =
      nullptr;  // which of them decided; null: none matched. Lives as long as they do

  // For example "line 3: deny call */* shop/cart2", "built in: ...", "no rule matches".
  std::string Reason() const;
};

// The rules of a group: those that are built in, then those of its operators. A value.
class Rules {
 public:
  static constexpr std::size_t kTextMax = 60 * 1024;
  static constexpr std::size_t kRulesMax = 2048;

  // Only those that are built in. They let the basic services do their work, and nobody else
  // register as one of them.
  Rules();

  // Those and the ones of `text`. InvalidArgument: "line N: " and what is wrong there; or it is too
  // long.
  static absl::StatusOr<Rules> Parse(std::string_view text);

  Verdict Decide(Verb verb, const Party& subject, const Party& api) const;

  // Built in first, otherwise in the order of their lines.
  const std::vector<Rule>& list() const { return rules_; }

 private:
  std::vector<Rule> rules_;
};

}  // namespace radix::trust
