#include "services/muster/muster_codec.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/checksum.h"
#include "services/registry/registry_codec.h"

namespace radix::muster {
namespace {

constexpr std::size_t kFunctionNameMax = 255;
constexpr int kPageSizeMax = 1000;
constexpr int kPageSizeDefault = 100;
constexpr std::size_t kTokenMax = 4096;

absl::Status Malformed(const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

// What a C symbol may look like, C++'s mangled ones included.
bool IsFunctionName(const std::string& text) {
  return text.size() <= kFunctionNameMax && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '$';
         });
}

absl::StatusOr<EntryId> CheckedId(const v1::Entry& message) {
  EntryId id{.horde = message.horde().empty() ? "default" : message.horde(),
             .api = message.api(),
             .inst = message.inst(),
             .function_name = message.function_name()};
  if (auto ok = registry::CheckName("entry.horde", id.horde); !ok.ok()) return ok;
  if (auto ok = registry::CheckApiName("entry.api", id.api); !ok.ok()) return ok;
  if (auto ok = registry::CheckApiName("entry.inst", id.inst); !ok.ok()) return ok;
  const auto checksum = Checksum::Parse(message.filename());
  if (!checksum.ok()) {
    return Malformed("entry.filename", std::string(checksum.status().message()));
  }
  id.filename = checksum->ToString();
  if (!IsFunctionName(id.function_name)) {
    return Malformed("entry.function_name", "is not at most 255 characters of A-Z a-z 0-9 _ . $");
  }
  return id;
}

}  // namespace

absl::StatusOr<EntryId> EntryIdFrom(const v1::RegisterRequest& message) {
  if (!message.has_entry()) return Malformed("entry", "is required");
  return CheckedId(message.entry());
}

absl::StatusOr<Query> QueryFrom(const v1::SearchRequest& message) {
  if (!message.horde().empty()) {
    if (auto ok = registry::CheckName("horde", message.horde()); !ok.ok()) return ok;
  }
  if (!message.api().empty()) {
    if (auto ok = registry::CheckApiName("api", message.api()); !ok.ok()) return ok;
  }
  if (!message.inst().empty()) {
    if (auto ok = registry::CheckApiName("inst", message.inst()); !ok.ok()) return ok;
  }
  if (message.page_size() < 0 || message.page_size() > kPageSizeMax) {
    return Malformed("page_size", "must be 0 to 1,000");
  }
  if (message.page_token().size() > kTokenMax) {
    return Malformed("page_token", "is not the next_page_token of an earlier answer");
  }
  const int page_size = message.page_size() == 0 ? kPageSizeDefault : message.page_size();
  return Query{.horde = message.horde(),
               .api = message.api(),
               .inst = message.inst(),
               .page_size = static_cast<std::size_t>(page_size),
               .page_token = message.page_token()};
}

absl::StatusOr<Entry> EntryFromBytes(const std::string& bytes) {
  v1::Entry message;
  if (!message.ParseFromString(bytes)) return Malformed("entry", "is no serialised Entry");
  auto id = CheckedId(message);
  if (!id.ok()) return id.status();
  auto time = registry::TimeFrom("entry.register_time", message.has_register_time(),
                                 message.register_time());
  if (!time.ok()) return time.status();
  return Entry{*std::move(id), *time};
}

v1::Entry ToProto(const Entry& entry) {
  v1::Entry message;
  message.set_horde(entry.horde);
  message.set_api(entry.api);
  message.set_inst(entry.inst);
  message.set_filename(entry.filename);
  message.set_function_name(entry.function_name);
  *message.mutable_register_time() = registry::ToTimestamp(entry.register_ns);
  return message;
}

std::string ToBytes(const Entry& entry) { return ToProto(entry).SerializeAsString(); }

}  // namespace radix::muster
