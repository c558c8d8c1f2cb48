#include "clients/cli/secondary_key_rotation.h"

#include <iostream>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/ask.h"
#include "clients/cli/await.h"
#include "clients/cli/keys.h"
#include "clients/cli/retry.h"
#include "clients/cli/timeout.h"
#include "radix/flock/v1/flock.grpc.pb.h"

namespace radix::cli {
namespace {

using flock::v1::FlockService;
using flock::v1::GetKeysResponse;
using flock::v1::RotateSecondaryKeyRequest;

constexpr std::size_t kNamedMax = 10;

bool IsAcknowledged(const GetKeysResponse& keys) {
  return keys.secondary().acknowledged_count() == keys.secondary().member_count();
}

bool AreSame(const GetKeysResponse& a, const GetKeysResponse& b) {
  const auto parts = [](const GetKeysResponse& keys) {
    const auto& secondary = keys.secondary();
    return std::tuple(secondary.phase(), secondary.current(), secondary.previous(),
                      secondary.next());
  };
  return parts(a) == parts(b);
}

std::string Missing(const GetKeysResponse& keys) {
  std::vector<std::string> names;
  std::size_t count = 0;
  for (const auto& member : keys.members()) {
    if (member.acknowledged() || ++count > kNamedMax) continue;
    names.push_back(member.node().empty() ? member.address() : member.node());
  }
  return absl::StrCat(absl::StrJoin(names, ", "),
                      count > kNamedMax ? absl::StrCat(" and ", count - kNamedMax, " more") : "");
}

// The key that the rotation under way leads away from; if there is none, that of a new one. But
// where only `use` or `remove` is asked for and no next key is installed, the rotation that was
// last is meant: these may have been done before.
std::string From(const GetKeysResponse& keys, const std::string& phase) {
  const auto& secondary = keys.secondary();
  const bool last = secondary.phase() == flock::v1::ROTATION_PHASE_USED ||
                    (secondary.phase() == flock::v1::ROTATION_PHASE_IDLE &&
                     (phase == "use" || phase == "remove"));
  return last && !secondary.previous().empty() ? secondary.previous() : secondary.current();
}

}  // namespace

struct Rotation::Step {
  flock::v1::RotationStep step;
  std::string name;
  std::string done;
};
const Rotation::Step Rotation::kSteps[] = {
    {flock::v1::ROTATION_STEP_INSTALL, "install", "installed: the next key opens on every node"},
    {flock::v1::ROTATION_STEP_USE, "use", "in use: every key file begins with the new key"},
    {flock::v1::ROTATION_STEP_REMOVE, "remove", "removed: the key before the previous is gone"}};

Rotation::Rotation(LabNode node, RotationOptions options)
    : node_(std::move(node)),
      options_(std::move(options)),
      limit_(FromSeconds(options_.timeout_s)) {}

absl::Status Rotation::Run(bool talk) {
  const auto keys =
      Retry(limit_, [&](Duration) -> absl::StatusOr<GetKeysResponse> { return GetKeys(node_); });
  if (!keys.ok()) return keys.status();
  from_ = options_.from.empty() ? From(*keys, options_.phase) : options_.from;
  if (talk) std::cout << "rotating away from secondary key " << from_ << std::endl;
  if (absl::Status status = AwaitEverybody(); !status.ok()) return status;
  for (const Step& step : kSteps) {
    if (!options_.phase.empty() && options_.phase != step.name) continue;
    const auto before = GetKeys(node_);
    if (absl::Status status = Do(step); !status.ok()) return status;
    done_.push_back(step.name);
    const auto after = GetKeys(node_);
    const bool changed = !before.ok() || !after.ok() || !AreSame(*before, *after);
    if (talk) std::cout << step.done << (changed ? "" : " (it was done before)") << std::endl;
  }
  return absl::OkStatus();
}

Json Rotation::Outcome() const {
  Json json = {{"from", from_.empty() ? Json(nullptr) : Json(from_)}, {"done", done_}};
  const auto keys = GetKeys(node_);
  json["keys"] = keys.ok() ? ToJson(*keys) : Json(nullptr);
  return json;
}

// Waits until all have acknowledged; with --force, for so long at most.
absl::Status Rotation::AwaitEverybody() {
  Await await(limit_);
  for (;;) {
    const auto keys = GetKeys(node_);
    if (!keys.ok() && !IsPassing(keys.status())) return keys.status();
    if (keys.ok() && IsAcknowledged(*keys)) return absl::OkStatus();
    if (await.Again()) continue;
    if (!keys.ok()) return keys.status();
    if (options_.force) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat(
        "within ", options_.timeout_s, " s not acknowledged by ", Missing(*keys),
        ": their logs say why. The same command again goes on from here; --force goes on "
        "without them, and whoever misses a second rotation in a row needs its key file copied "
        "by hand"));
  }
}

absl::Status Rotation::Do(const Step& step) {
  RotateSecondaryKeyRequest request;
  request.set_step(step.step);
  request.set_from(from_);
  request.set_force(options_.force);
  const auto reply = Retry(limit_, [&](Duration) -> absl::StatusOr<int> {
    const auto answer =
        Ask<FlockService>(node_, "flock", &FlockService::Stub::async::RotateSecondaryKey, request);
    // Out of turn: no later try succeeds.
    if (absl::IsFailedPrecondition(answer.status())) {
      return absl::InvalidArgumentError(answer.status().message());
    }
    if (!answer.ok()) return answer.status();
    return 0;
  });
  if (!reply.ok()) return reply.status();
  return AwaitEverybody();
}

}  // namespace radix::cli
