#include "services/confab/accept_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"

namespace radix::confab {
namespace {

// Of one listener, before the others have their turn.
constexpr int kAcceptedAtOnce = 64;
// For so long nobody is heard where the system has no more descriptors.
constexpr Duration kPause = 100ms;

}  // namespace

AcceptLoop& AcceptLoop::Get() {
  static AcceptLoop* const loop = new AcceptLoop;  // never destroyed: its thread goes on
  return *loop;
}

AcceptLoop::AcceptLoop() : poll_(epoll_create1(EPOLL_CLOEXEC)), thread_([this] { Run(); }) {
  thread_.detach();
}

std::uint64_t AcceptLoop::Add(int fd, std::size_t connections_max, std::string name, Hand hand) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t id = ++last_id_;
  listeners_[id] = {fd, connections_max, std::move(name), std::move(hand)};
  Watch(fd, id, EPOLLIN);
  return id;
}

void AcceptLoop::Remove(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto listener = listeners_.find(id);
  epoll_ctl(poll_.get(), EPOLL_CTL_DEL, listener->second.fd, nullptr);
  listeners_.erase(listener);
}

void AcceptLoop::Watch(int fd, std::uint64_t id, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void AcceptLoop::Run() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = epoll_wait(poll_.get(), events.data(), events.size(), MillisecondsToNext());
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < count; ++i) HandleEvent(events[static_cast<std::size_t>(i)].data.u64);
    Resume(confab::Now());
  }
}

void AcceptLoop::HandleEvent(std::uint64_t id) {
  if (const auto listener = listeners_.find(id); listener != listeners_.end()) {
    for (int i = 0; i < kAcceptedAtOnce && AcceptOne(listener->second, id); ++i) {
    }
    return;
  }
  const auto connection = connections_.find(id);
  if (connection == connections_.end()) return;
  const auto listener = listeners_.find(connection->second.listener);
  if (listener != listeners_.end()) --listener->second.open;
  connections_.erase(connection);
}

bool AcceptLoop::AcceptOne(Listener& listener, std::uint64_t id) {
  // Each takes two descriptors. Who is accepted where there is only one would be sent away.
  Descriptor again(fcntl(listener.fd, F_DUPFD_CLOEXEC, 0));
  Descriptor socket(again ? accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)
                          : -1);
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      refusals_.Warn(absl::StrCat(
          listener.name, ": no more connections can be taken for now: ", std::strerror(errno)));
      BeDeaf(listener);
      return false;
    }
    return errno == ECONNABORTED || errno == EINTR;
  }
  if (listener.open >= listener.connections_max) {
    refusals_.Warn(absl::StrCat(listener.name, ": a connection was refused: it has ", listener.open,
                                " already"));
    return true;
  }
  dup3(socket.get(), again.get(), O_CLOEXEC);
  const std::uint64_t connection = ++last_id_;
  Watch(again.get(), connection, EPOLLRDHUP | EPOLLET);
  connections_[connection] = {std::move(again), id};
  ++listener.open;
  listener.hand(listener.fd, socket.Release());
  return true;
}

void AcceptLoop::BeDeaf(Listener& listener) {
  epoll_ctl(poll_.get(), EPOLL_CTL_DEL, listener.fd, nullptr);
  listener.deaf = true;
  if (!std::exchange(some_deaf_, true)) resume_at_ = confab::Now() + kPause;
}

void AcceptLoop::Resume(Instant now) {
  if (!some_deaf_ || now < resume_at_) return;
  some_deaf_ = false;
  for (auto& [id, listener] : listeners_) {
    if (std::exchange(listener.deaf, false)) Watch(listener.fd, id, EPOLLIN);
  }
}

int AcceptLoop::MillisecondsToNext() {
  const std::lock_guard lock(mutex_);
  if (!some_deaf_) return -1;
  const Instant now = confab::Now();
  return resume_at_ <= now ? 0 : static_cast<int>((resume_at_ - now) / 1ms) + 1;
}

}  // namespace radix::confab
