// Decides as which users the plugins of a node run.
//
// A core: it asks nobody which users there are.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace radix::picket {

// A number of its own for each service of a horde, the same for all its plugins; once given it is
// kept. Not thread-safe.
class UserTable {
 public:
  // `salt` is where the search begins, together with the service: a picket that is started again
  // finds the same number, and two nodes of one machine hardly ever do.
  explicit UserTable(std::string salt) : salt_(std::move(salt)) {}

  // The number for that service; nullopt when none is free. `is_taken` says of a number that no
  // service has whether somebody else has it.
  std::optional<std::uint32_t> For(const std::string& horde, const std::string& service,
                                   const std::function<bool(std::uint32_t)>& is_taken);

  // Plugins of that service run as that user already. What cannot be is ignored.
  void Learn(const std::string& horde, const std::string& service, std::uint32_t uid);

 private:
  using Service = std::pair<std::string, std::string>;

  const std::string salt_;
  std::map<Service, std::uint32_t> numbers_;
  std::map<std::uint32_t, Service> services_;
};

}  // namespace radix::picket
