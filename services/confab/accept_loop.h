// The thread that listens at all Unix sockets of a process: unix_acceptor.h.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "services/confab/descriptor.h"
#include "services/confab/sparing_log.h"
#include "services/confab/time.h"

namespace radix::confab {

// Thread-safe. There is one, for as long as the process lives.
class AcceptLoop {
 public:
  using Hand = std::function<void(int listener, int connection)>;

  static AcceptLoop& Get();

  // Accepts at `fd`, at most `connections_max` at a time, until Remove. `hand` is called on the
  // thread, and not after Remove has returned; it must not call back. `name` is for the log.
  std::uint64_t Add(int fd, std::size_t connections_max, std::string name, Hand hand);
  void Remove(std::uint64_t id);

 private:
  struct Listener {
    int fd = -1;
    std::size_t connections_max = 0;
    std::string name;
    Hand hand;
    std::size_t open = 0;
    bool deaf = false;  // until resume_at_
  };
  // That gRPC has; and this, to see its end.
  struct Connection {
    Descriptor again;
    std::uint64_t listener = 0;
  };

  AcceptLoop();
  void Run();
  void HandleEvent(std::uint64_t id);
  bool AcceptOne(Listener& listener, std::uint64_t id);
  void Watch(int fd, std::uint64_t id, std::uint32_t events) const;
  void BeDeaf(Listener& listener);
  void Resume(Instant now);
  int MillisecondsToNext();

  const Descriptor poll_;
  std::mutex mutex_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Listener> listeners_;
  std::map<std::uint64_t, Connection> connections_;
  bool some_deaf_ = false;
  Instant resume_at_;
  SparingLog refusals_{"were refused"};
  std::thread thread_;
};

}  // namespace radix::confab
