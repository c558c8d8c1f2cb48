// The messages between the supervisor and its services, checked. services/confab/parent.h says how
// they travel.
//
// A service says:
//   {"ready": true}            it serves
//   {"alive": true}            its work goes on; about once a second from then on
// flock says:
//   {"lead": EPOCH}            this node is the sealed leader, under EPOCH
//   {"follow": true}           it no longer is
// picket says:
//   {"spawn": {"id", "argv", "env", "tag", "uid"}}
//                              start a process: the file behind the descriptor that comes with it,
//                              as that user and group (without "uid" as this one); without a
//                              descriptor, the fulcrum binary itself, with a link of its own
//   {"kill": {"id", "signal"}} send a signal to it
//   {"fence": EPOCH}           remember the greatest epoch that ordered anything
// picket is told:
//   {"child": {"id", "pid", "tag", "age_ms", "terminated", "uid", "status"}}
//                              what runs, or ended lately ("status" only then); one for each, when
//                              picket starts
//   {"resume": {"fence": EPOCH}}                that was all of them
//   {"want": [{"service", "args"}]}             what must run for the supervisor: dean, proctor
//   {"spawned": {"id", "pid"}}   {"refused": {"id", "error"}}             answers to spawn
//   {"exited": {"id", "pid", "status"}}         a process ended; status as wait(2) gives it
//   {"shutdown": true}         the node ends: stop everything

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "fulcrum/guests.h"

namespace radix::fulcrum {

struct Ready {};
struct Alive {};
struct Lead {
  std::uint64_t epoch = 0;
};
struct Follow {};
struct Spawn {
  std::string id;
  std::vector<std::string> argv;  // at least the program's name
  std::vector<std::string> env;
  std::string tag;
  std::uint32_t uid = 0;  // 0: the supervisor's own
};
struct Kill {
  std::string id;
  int signal = 0;
};
struct Fence {
  std::uint64_t epoch = 0;
};
using Request = std::variant<Ready, Alive, Lead, Follow, Spawn, Kill, Fence>;

// What must run for the supervisor, through picket.
struct Wanted {
  std::string service;
  std::vector<std::string> args;

  bool operator==(const Wanted&) const = default;
};

// Checks a message from `service`. InvalidArgument for what is malformed, PermissionDenied for what
// that service has no business to say.
absl::StatusOr<Request> DecodeRequest(const std::string& service, const nlohmann::json& message);

nlohmann::json EncodeChild(const std::string& id, const Guest& guest, Instant now);
nlohmann::json EncodeResume(std::uint64_t fence);
nlohmann::json EncodeWant(const std::vector<Wanted>& wanted);
nlohmann::json EncodeSpawned(const std::string& id, int pid);
nlohmann::json EncodeRefused(const std::string& id, const absl::Status& why);
nlohmann::json EncodeExited(const std::string& id, int pid, int wait_status);
nlohmann::json EncodeShutdown();

}  // namespace radix::fulcrum
