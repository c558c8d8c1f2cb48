// The inventory of what could run.

#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace radix::muster {

// Names one entry.
struct EntryId {
  std::string horde;
  std::string api;
  std::string inst;
  std::string filename;       // sha256:HEX
  std::string function_name;  // empty for an executable

  auto operator<=>(const EntryId&) const = default;

  // The entry's key among the group's decisions; different for different entries.
  std::string Key() const;
};

// One thing that could run.
struct Entry : EntryId {
  std::int64_t register_ns = 0;  // wall-clock nanoseconds since 1970
};

// Which entries are wanted; an empty field matches all.
struct Query {
  std::string horde;
  std::string api;
  std::string inst;
  std::size_t page_size = 100;
  std::string page_token;  // the next_page_token of the page before; empty for the first
};

struct Page {
  std::vector<Entry> entries;
  std::string next_page_token;  // empty on the last page
};

// What a search finds: in (horde, api, inst) order, newest first within one inst. Not thread-safe.
class Inventory {
 public:
  static constexpr std::size_t kEntriesMax = 10'000;

  // OK when `id` is known or there is room; otherwise ResourceExhausted.
  absl::Status CheckRoom(const EntryId& id) const;

  // Adds an entry, or replaces the one of equal id. ResourceExhausted as CheckRoom.
  absl::Status Put(const Entry& entry);

  // The entry of that id, if there is one.
  std::optional<Entry> Find(const EntryId& id) const;

  // One page. A page begins behind the entry at which the one before ended, whether that is still
  // there or not. InvalidArgument for a token that is none.
  absl::StatusOr<Page> Search(const Query& query) const;

  std::size_t size() const { return entries_.size(); }

 private:
  struct ByListing {
    bool operator()(const Entry& a, const Entry& b) const;
  };

  std::map<EntryId, std::int64_t> entries_;
  std::set<Entry, ByListing> listing_;  // the same entries
};

}  // namespace radix::muster
