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
//
// One more line may say `grace SECONDS` or `grace never`: how long a node that has no leader, and
// so cannot hear what is revoked, goes on letting in callers from other nodes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/confab/time.h"
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

  bool operator==(const Rule&) const = default;

  std::string ToString() const;
  // With where it stands, for example "line 3: deny call */* shop/cart2", or "built in: ...".
  std::string Placed() const;
};

// What the rules say about one question.
struct Verdict {
  bool allowed = false;
  const Rule* rule =
      nullptr;  // which of them decided; null: none matched. Lives as long as they do

  // The rule as Placed() says it, or "no rule matches".
  std::string Reason() const;
};

// The rules of a group: those that are built in, then those of its operators. A value.
class Rules {
 public:
  static constexpr std::size_t kTextMax = 60 * 1024;
  static constexpr std::size_t kRulesMax = 2048;
  static constexpr Duration kGrace = 60s;  // where no line says another
  static constexpr Duration kGraceMax = 24h;

  // How a group keeps those of its operators: as its one decision of this kind and key. The value
  // is their text.
  static constexpr char kKind[] = "rules";
  static constexpr char kKey[] = "operators";

  // Only those that are built in. They let the basic services do their work, and nobody else call
  // them or register as one of them.
  Rules();

  // Those and the ones of `text`. InvalidArgument: "line N: " and what is wrong there; or it is too
  // long.
  static absl::StatusOr<Rules> Parse(std::string_view text);

  // Those of a decision of that kind. InvalidArgument as Parse, and for another key or no text at
  // all: that would be no decision, and a group in which nobody decided is given rules to begin
  // with. Each message begins with "rules: ".
  static absl::StatusOr<Rules> FromDecision(const std::string& key, std::string_view value);

  bool operator==(const Rules&) const = default;

  Verdict Decide(Verb verb, const Party& subject, const Party& api) const;

  // nullopt: for ever.
  std::optional<Duration> grace() const { return grace_; }

  // Built in first, otherwise in the order of their lines.
  const std::vector<Rule>& list() const { return rules_; }

 private:
  absl::Status ParseInto(std::string_view text, bool numbered);

  std::vector<Rule> rules_;
  std::optional<Duration> grace_ = kGrace;
};

}  // namespace radix::trust
