#include "services/muster/inventory.h"

#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace radix::muster {
namespace {

// Length, colon, text; so that no two lists of fields give the same text.
std::string Join(const std::vector<std::string>& fields) {
  std::string text;
  for (const std::string& field : fields) absl::StrAppend(&text, field.size(), ":", field);
  return text;
}

// Takes one field off the front; nullopt when there is none.
std::optional<std::string> TakeField(std::string_view& text) {
  const std::size_t colon = text.find(':');
  std::uint64_t size = 0;
  if (colon == std::string_view::npos ||
      !absl::SimpleAtoi(std::string(text.substr(0, colon)), &size) ||
      size > text.size() - colon - 1) {
    return std::nullopt;
  }
  const std::string field(text.substr(colon + 1, size));
  text.remove_prefix(colon + 1 + size);
  return field;
}

std::string ToToken(const Entry& entry) {
  return absl::WebSafeBase64Escape(Join({entry.horde, entry.api, entry.inst, entry.filename,
                                         entry.function_name, absl::StrCat(entry.register_ns)}));
}

absl::StatusOr<Entry> FromToken(const std::string& token) {
  const absl::Status malformed =
      absl::InvalidArgumentError("page_token: is not the next_page_token of an earlier answer");
  std::string decoded;
  if (!absl::WebSafeBase64Unescape(token, &decoded)) return malformed;
  std::string_view text = decoded;
  std::array<std::string, 6> fields;
  for (std::string& field : fields) {
    auto taken = TakeField(text);
    if (!taken) return malformed;
    field = *std::move(taken);
  }
  Entry entry{{fields[0], fields[1], fields[2], fields[3], fields[4]}};
  if (!text.empty() || !absl::SimpleAtoi(fields[5], &entry.register_ns)) return malformed;
  return entry;
}

}  // namespace

std::string EntryId::Key() const { return Join({horde, api, inst, filename, function_name}); }

bool Inventory::ByListing::operator()(const Entry& a, const Entry& b) const {
  return std::tie(a.horde, a.api, a.inst, b.register_ns, a.filename, a.function_name) <
         std::tie(b.horde, b.api, b.inst, a.register_ns, b.filename, b.function_name);
}

absl::Status Inventory::CheckRoom(const EntryId& id) const {
  if (entries_.size() < kEntriesMax || entries_.contains(id)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the inventory has ", kEntriesMax, " entries already"));
}

absl::Status Inventory::Put(const Entry& entry) {
  if (auto ok = CheckRoom(entry); !ok.ok()) return ok;
  if (const auto old = Find(entry)) listing_.erase(*old);
  entries_[entry] = entry.register_ns;
  listing_.insert(entry);
  return absl::OkStatus();
}

std::optional<Entry> Inventory::Find(const EntryId& id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return Entry{found->first, found->second};
}

absl::StatusOr<Page> Inventory::Search(const Query& query) const {
  auto next = listing_.begin();
  if (!query.page_token.empty()) {
    auto last = FromToken(query.page_token);
    if (!last.ok()) return last.status();
    next = listing_.upper_bound(*last);
  }
  Page page;
  for (; next != listing_.end(); ++next) {
    const bool matches = (query.horde.empty() || query.horde == next->horde) &&
                         (query.api.empty() || query.api == next->api) &&
                         (query.inst.empty() || query.inst == next->inst);
    if (!matches) continue;
    if (page.entries.size() == query.page_size) {
      page.next_page_token = ToToken(page.entries.back());
      break;
    }
    page.entries.push_back(*next);
  }
  return page;
}

}  // namespace radix::muster
