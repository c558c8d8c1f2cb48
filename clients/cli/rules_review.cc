#include "clients/cli/rules_review.h"

#include <algorithm>
#include <iostream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/retry.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"

namespace radix::cli {
namespace {

using proctor::v1::DeanService;
using reeve::v1::ReeveService;
using trust::KnownParties;
using trust::Party;
using trust::UnknownParty;

constexpr std::size_t kShownMax = 20;

// What is wrong with a name that nobody has.
std::string Wrong(const UnknownParty& unknown, const KnownParties& known) {
  const auto party = Party::Parse(unknown.party);
  std::string text = absl::StrCat("nobody knows the ", unknown.is_api ? "api" : "service", " '",
                                  unknown.party, "': ");
  const std::set<Party>& others = unknown.is_api ? known.subjects : known.apis;
  if (party.ok() && others.contains(*party)) {
    absl::StrAppend(&text, unknown.is_api
                               ? "a service is called so in its manifest, which says as which api "
                                 "it is called"
                               : "it is an api; who calls or serves is named as in its manifest");
  } else {
    absl::StrAppend(&text, unknown.is_api
                               ? "no manifest declares it, none is served, and the inventory has "
                                 "none"
                               : "no manifest declares it");
  }
  return text;
}

std::string MatchesNobody(const UnknownParty& unknown) {
  return absl::StrCat("'", unknown.party, "' matches ",
                      unknown.is_api ? "no api that a manifest declares or that is served now"
                                     : "no service that a manifest declares");
}

}  // namespace

RulesReview Review(const trust::Rules& rules, const KnownParties& known, bool allow_unknown) {
  RulesReview review;
  for (const UnknownParty& unknown : FindUnknown(rules, known)) {
    if (!unknown.exact) {
      review.warnings.push_back({unknown.line, MatchesNobody(unknown)});
    } else if (allow_unknown) {
      review.warnings.push_back({unknown.line, Wrong(unknown, known)});
    } else {
      review.errors.push_back({unknown.line, Wrong(unknown, known) +
                                                 "; correct it, or say --allow-unknown if it is "
                                                 "still to come"});
    }
  }
  for (const trust::NeverReached& each : FindNeverReached(rules)) {
    review.warnings.push_back(Describe(each));
  }
  std::ranges::stable_sort(review.warnings, {}, &Remark::line);
  return review;
}

Remark Describe(const trust::NeverReached& rule) {
  return {rule.rule->line, absl::StrCat("never decides: before it comes ", rule.decides->Placed())};
}

absl::StatusOr<KnownParties> AskWhoIsKnown(const LabNode& node, const trust::Rules& rules,
                                           Duration limit) {
  KnownParties known = KnownParties::Basic();
  const auto patience = [](Duration remaining) {
    return CallOptions{.timeout = std::min<Duration>(remaining, 5s)};
  };
  const auto status = Retry(limit, [&](Duration remaining) {
    return Ask<DeanService>(node, "dean", &DeanService::Stub::async::GetStatus, {},
                            patience(remaining));
  });
  if (!status.ok()) return status.status();
  for (const auto& service : status->services()) {
    known.subjects.insert({service.horde(), service.service()});
    known.apis.insert({service.horde(), service.api()});
  }
  const auto served =
      Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::ListInstances, {});
  if (!served.ok()) return served.status();
  for (const auto& instance : served->instances()) {
    known.apis.insert({instance.horde(), instance.api()});
  }
  for (const UnknownParty& unknown : FindUnknown(rules, known)) {
    const auto party = Party::Parse(unknown.party);
    if (!unknown.is_api || !party.ok() || known.apis.contains(*party)) continue;
    muster::v1::SearchRequest request;
    request.set_horde(party->horde);
    request.set_api(party->service);
    request.set_page_size(1);
    const auto found = Retry(limit, [&](Duration remaining) {
      return Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::SearchEntries, request,
                               patience(remaining));
    });
    if (!found.ok()) return found.status();
    if (found->entries_size() > 0) known.apis.insert(*party);
  }
  return known;
}

void PrintReview(const std::string& source, const RulesReview& review) {
  for (const Remark& each : review.warnings) {
    std::cerr << "radix: warning: " << source << ": line " << each.line << ": " << each.text
              << '\n';
  }
  for (std::size_t i = 0; i < std::min(review.errors.size(), kShownMax); ++i) {
    Fail(absl::InvalidArgumentError(
        absl::StrCat(source, ": line ", review.errors[i].line, ": ", review.errors[i].text)));
  }
  if (review.errors.size() > kShownMax) {
    Fail(absl::InvalidArgumentError(
        absl::StrCat(source, ": and ", review.errors.size() - kShownMax, " more")));
  }
}

Json ToJson(const std::vector<Remark>& remarks) {
  Json json = Json::array();
  for (const Remark& each : remarks) json.push_back({{"line", each.line}, {"message", each.text}});
  return json;
}

}  // namespace radix::cli
