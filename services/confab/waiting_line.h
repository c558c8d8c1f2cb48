// Who waits for its turn, host by host: however many of one host wait, each other host has its turn
// before that one has another.
//
// A core.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace radix::confab {

// Not thread-safe.
class WaitingLine {
 public:
  // Behind all hosts that wait, unless its host does already; of one host the lowest `id` is first.
  void Join(const std::string& host, std::uint64_t id);
  // It had its turn, or waits no more. Nothing happens where it did not wait.
  void Leave(const std::string& host, std::uint64_t id);

  // Whose turn it is; nullopt: nobody waits. Once it left, another host has its turn.
  std::optional<std::uint64_t> next() const;

 private:
  std::deque<std::string> hosts_;  // in the order of their turns
  std::map<std::string, std::set<std::uint64_t>> waiting_;
};

}  // namespace radix::confab
