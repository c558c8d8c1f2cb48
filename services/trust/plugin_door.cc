#include "services/trust/plugin_door.h"

#include <sodium.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace radix::trust {
namespace {

constexpr std::size_t kSaidMax = 80;  // what is repeated of it

std::string OwnerOf(const Door& door) {
  const std::string serves =
      door.api.empty() ? "" : absl::StrCat(", which serves ", door.api, " ", door.inst);
  return absl::StrCat("this is the door of ", door.who.ToString(), serves);
}

absl::Status Refuse(const Door& door, const std::string& field, const std::string& said) {
  return absl::PermissionDeniedError(absl::StrCat(
      field, ": says '", absl::CHexEscape(said.substr(0, kSaidMax)), "', but ", OwnerOf(door)));
}

}  // namespace

absl::Status CheckClaim(const Door& door, const std::string& prefix, const Claim& claim) {
  struct Field {
    const char* name;
    const std::optional<std::string>& said;
    const std::string& is;
  };
  const std::array<Field, 4> fields = {Field{"horde", claim.horde, door.who.horde},
                                       Field{"service", claim.service, door.who.service},
                                       Field{"api", claim.api, door.api},
                                       Field{"inst", claim.inst, door.inst}};
  for (const Field& field : fields) {
    // A door that is for no api is for nothing that can be served.
    if (field.said && (*field.said != field.is || field.is.empty())) {
      return Refuse(door, prefix + field.name, *field.said);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAddress(const Door& door, const std::string& field, const std::string& said,
                          const IpAddress& own) {
  const auto endpoint = Endpoint::Parse(said);
  if (!endpoint.ok() || endpoint->ip == own) return absl::OkStatus();
  absl::Status refused = Refuse(door, field, said);
  return absl::PermissionDeniedError(
      absl::StrCat(std::string(refused.message()), " at ", own.ToString()));
}

std::string ShortNameOf(const std::string& text) {
  std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  return absl::BytesToHexString(
      std::string(reinterpret_cast<const char*>(hash.data()), hash.size()).substr(0, 5));
}

}  // namespace radix::trust
