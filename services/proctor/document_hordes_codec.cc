#include "services/proctor/document_hordes_codec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "radix/muster/v1/muster.pb.h"
#include "services/proctor/proctor_codec.h"
#include "services/registry/hordes_codec.h"

namespace radix::proctor {
namespace {

constexpr char kMuster[] = "muster";

std::string HordeNameOf(const v1::ServiceSpec& service) {
  return service.horde().empty() ? registry::Hordes::kDefault : service.horde();
}

// The first service that is of that horde, with its manifest; nothing when none is.
std::string UserOf(const v1::DocumentBody& body, const std::string& horde) {
  for (const v1::Manifest& manifest : body.manifests()) {
    for (const v1::ServiceSpec& service : manifest.services()) {
      if (HordeNameOf(service) != horde) continue;
      return absl::StrCat("service ", service.name(), " of manifest ", manifest.name());
    }
  }
  return "";
}

absl::Status CheckHorde(const v1::DocumentBody& body, const v1::Decision& decision) {
  const std::string& name = decision.key();
  if (!decision.value().empty()) {
    registry::Hordes all = HordesOf(body);
    if (all.Find(name) == nullptr && all.all().size() >= registry::Hordes::kHordesMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("there are ", registry::Hordes::kHordesMax, " hordes already"));
    }
    return absl::OkStatus();
  }
  if (name == registry::Hordes::kDefault) return absl::OkStatus();  // is then as in the beginning
  const std::string user = UserOf(body, name);
  if (user.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the horde '", name, "' is used: by ", user, "; remove that first"));
}

absl::Status NoSuchHorde(const std::string& field, const std::string& horde) {
  return absl::InvalidArgumentError(absl::StrCat(field, "no horde is called '", horde,
                                                 "'; `radix horde create ", horde,
                                                 "` makes it, `radix horde ls` shows all"));
}

// Inventory entries are keyed by what they are, the horde first.
absl::Status CheckEntry(const v1::DocumentBody& body, const v1::Decision& decision) {
  if (decision.value().empty()) return absl::OkStatus();
  muster::v1::Entry entry;
  if (!entry.ParseFromString(decision.value())) return absl::OkStatus();
  if (HordesOf(body).Find(entry.horde()) != nullptr) return absl::OkStatus();
  return NoSuchHorde("entry.horde: ", entry.horde());
}

}  // namespace

registry::Hordes HordesOf(const v1::DocumentBody& body) {
  registry::Hordes hordes;
  for (const v1::Decision& decision : body.decisions()) {
    if (decision.kind() != registry::Hordes::kKind) continue;
    registry::AddDecidedHorde(decision.key(), decision.value(), hordes).IgnoreError();
  }
  return hordes;
}

absl::Status CheckHordes(const v1::DocumentBody& body, const v1::Manifest& manifest) {
  const registry::Hordes hordes = HordesOf(body);
  for (int i = 0; i < manifest.services_size(); ++i) {
    const std::string horde = HordeNameOf(manifest.services(i));
    if (hordes.Find(horde) != nullptr) continue;
    return NoSuchHorde(PlaceOf(manifest, i, "horde"), horde);
  }
  for (const v1::Manifest& other : body.manifests()) {
    if (other.name() != manifest.name() || other.services().empty() ||
        manifest.services().empty()) {
      continue;
    }
    const std::string theirs = HordeNameOf(other.services(0));
    if (theirs == HordeNameOf(manifest.services(0))) continue;
    return absl::AlreadyExistsError(absl::StrCat(
        manifest.source().empty() ? "" : manifest.source() + ": ", "name: '", manifest.name(),
        "' is a manifest of the horde '", theirs, "'; choose another name, or remove that one"));
  }
  return absl::OkStatus();
}

absl::Status CheckHordes(const v1::DocumentBody& body, const v1::Decision& decision) {
  if (decision.kind() == registry::Hordes::kKind) return CheckHorde(body, decision);
  if (decision.kind() == kMuster) return CheckEntry(body, decision);
  return absl::OkStatus();
}

}  // namespace radix::proctor
