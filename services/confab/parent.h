// What a process of a node owes the supervisor that started it.
//
// fulcrum's supervisor gives its built-in services one end of a socket pair as descriptor 3 and
// says so in RADIX_SUPERVISOR_FD. Messages are JSON objects, one a datagram (SOCK_SEQPACKET), at
// most kSupervisorMessageBytesMax long; a descriptor may travel with one. fulcrum/link_codec.h
// lists them.

#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "absl/status/statusor.h"

namespace radix::confab {

constexpr std::size_t kSupervisorMessageBytesMax = 64 << 10;

// Ties this process to its parent: when the supervisor dies, however it dies, so does this process.
// RADIX_SUPERVISOR_PID says who the parent is; without it nothing happens. When the parent is gone
// already, the process exits. Call first thing in main.
void DieWithParent();

// What a service of the fulcrum binary calls first: DieWithParent; the process is named, as `ps`
// and `top` show it (at most 15 bytes count); and when it gets no more memory, it ends with a word
// in its log, for half of a service that goes on helps nobody.
void BeginService(const char* name);

// Tells the supervisor that this service serves. Nothing happens without a supervisor.
void NotifyReady();

// Tells the supervisor that this service is alive, unless it has not read yet what it was told
// before. Never waits. Nothing happens without a supervisor. Call it only where that is proved:
// see clients/cpp/pulse.h.
void NotifyAlive();

// The descriptor of the link to the supervisor; nullopt without one.
std::optional<int> SupervisorFd();

// Sends one message over a link, with `fd` unless that is -1. Waits at most a second for room.
// Unavailable when the other end is gone or too slow.
absl::Status SendMessage(int link, const nlohmann::json& message, int fd = -1);

// One message and the descriptor that came with it, -1 for none; the receiver closes it.
struct LinkMessage {
  nlohmann::json body;
  int fd = -1;
};

// Takes the next message; waits for one. Unavailable when the other end is gone; InvalidArgument
// for what is no JSON object (the message is dropped).
absl::StatusOr<LinkMessage> ReceiveMessage(int link);

}  // namespace radix::confab
