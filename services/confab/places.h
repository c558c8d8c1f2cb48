// Who holds how many of the places that there are, so that whoever takes most makes room for
// others.
//
// A core.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

namespace radix::confab {

// Not thread-safe.
class Places {
 public:
  // Requires: `id` is higher than any before.
  void Take(const std::string& host, std::uint64_t id);
  // Nothing happens where it has none.
  void Leave(const std::string& host, std::uint64_t id);

  std::size_t size() const { return size_; }
  std::size_t Of(const std::string& host) const;

  // Who of `host` has been there longest; requires that there is somebody.
  std::uint64_t OldestOf(const std::string& host) const { return *of_host_.at(host).begin(); }

  struct Place {
    std::string host;
    std::uint64_t id = 0;
  };
  // Who has been there longest of the host that has most; of several such hosts, of all of theirs.
  // nullopt: nobody is there.
  std::optional<Place> MostCrowding() const;

 private:
  using Ids = std::set<std::uint64_t>;

  void Rank(const std::string& host, const Ids& ids);
  void Unrank(const std::string& host, const Ids& ids);

  std::size_t size_ = 0;
  std::map<std::string, Ids> of_host_;  // nobody has none
  std::set<std::tuple<std::size_t, std::uint64_t, std::string>> ranks_;
};

}  // namespace radix::confab
