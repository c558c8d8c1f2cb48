#include "services/confab/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/bindable.h"
#include "services/confab/client_hello.h"
#include "services/confab/clock.h"
#include "services/confab/socket_address.h"

namespace radix::confab {
namespace {

constexpr std::uint64_t kListenerId = 0;
constexpr std::uint64_t kStopId = 1;
constexpr int kBacklog = 1024;
constexpr Duration kDeafness = 100ms;
// For so long nobody is heard when somebody had to be refused: then those who wait are dealt with
// at once, instead of each taking a turn of this thread from those whom the processor is for.
constexpr Duration kRefusing = 20ms;
// Told once, until asked for again: while something comes, time says when to look.
constexpr std::uint32_t kGuarded = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;

// As gRPC names it.
std::string PeerName(const Endpoint& endpoint) {
  if (endpoint.ip.is_v4()) return "ipv4:" + endpoint.ToString();
  return absl::StrCat("ipv6:%5B", endpoint.ip.ToString(), "%5D:", endpoint.port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Listen(const Endpoint& endpoint,
                                                           const AcceptorOptions& options) {
  Descriptor listener(socket(endpoint.ip.is_v4() ? AF_INET : AF_INET6,
                             SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  Descriptor poll(epoll_create1(EPOLL_CLOEXEC));
  Descriptor stop(eventfd(0, EFD_CLOEXEC));
  if (!listener || !poll || !stop) return CannotBind(Transport::kTcp, endpoint);
  const int yes = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_storage address{};
  socklen_t size = ToSystem(endpoint, address);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener.get(), kBacklog) != 0) {
    return CannotBind(Transport::kTcp, endpoint);
  }
  size = sizeof address;
  if (getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return CannotBind(Transport::kTcp, endpoint);
  }
  return std::unique_ptr<Acceptor>(new Acceptor({endpoint.ip, FromSystem(address).port}, options,
                                                std::move(listener), std::move(poll),
                                                std::move(stop)));
}

Acceptor::Acceptor(const Endpoint& endpoint, const AcceptorOptions& options, Descriptor listener,
                   Descriptor poll, Descriptor stop)
    : endpoint_(endpoint),
      options_(options),
      listener_(std::move(listener)),
      poll_(std::move(poll)),
      stop_(std::move(stop)),
      last_id_(kStopId),
      connections_(std::make_shared<Connections>(options.budget)) {}

Acceptor::~Acceptor() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void Acceptor::Begin(Hand hand, std::unique_ptr<Transports> transports) {
  hand_ = std::move(hand);
  if (transports) guard_ = std::make_unique<FloodGuard>(connections_, std::move(transports));
  Watch(listener_.get(), kListenerId, EPOLLIN);
  Watch(stop_.get(), kStopId, EPOLLIN);
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Watch(int fd, std::uint64_t id, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Acceptor::Run() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count =
        epoll_wait(poll_.get(), events.data(), events.size(), MillisecondsToNext(confab::Now()));
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kStopId) return;
      HandleEvent(event.data.u64, event.events);
    }
    const Instant now = confab::Now();
    EndTheSilent(now);
    LookAround(now);
  }
}

void Acceptor::HandleEvent(std::uint64_t id, std::uint32_t events) {
  if (id == kListenerId) return AcceptAll();
  if (const auto found = silent_.find(id); found != silent_.end()) return Hear(id, found->second);
  const auto handed = handed_.find(id);
  if (handed == handed_.end()) return;
  if ((events & ~std::uint32_t{EPOLLIN}) == 0) return guard_->HandleBusy(id, confab::Now());
  const bool known = connections_->Remove(handed->second.peer, id);
  if (guard_) guard_->Remove(id, known);
  handed_.erase(handed);
}

// Ends those that were silent too long.
void Acceptor::EndTheSilent(Instant now) {
  while (!silent_.empty() && silent_.begin()->second.until <= now) Forget(silent_.begin()->first);
}

// What else is due.
void Acceptor::LookAround(Instant now) {
  if (deaf_ && now >= resume_at_) {
    deaf_ = false;
    Watch(listener_.get(), kListenerId, EPOLLIN);
  }
  if (!guard_ || now < guard_->next_look().value_or(Instant::max())) return;
  for (const std::uint64_t id : guard_->Look(now)) {
    epoll_event event{};
    event.events = kGuarded;
    event.data.u64 = id;
    epoll_ctl(poll_.get(), EPOLL_CTL_MOD, handed_.at(id).socket, &event);
  }
}

int Acceptor::MillisecondsToNext(Instant now) const {
  Instant next = Instant::max();
  if (deaf_) next = resume_at_;
  if (!silent_.empty()) next = std::min(next, silent_.begin()->second.until);
  if (guard_) next = std::min(next, guard_->next_look().value_or(next));
  if (next == Instant::max()) return -1;
  return next <= now ? 0 : static_cast<int>((next - now) / 1ms) + 1;
}

void Acceptor::AcceptAll() {
  for (int i = 0; i < kBacklog && AcceptOne(); ++i) {
  }
  if (std::exchange(refused_, false) && !deaf_) BeDeaf(kRefusing);
}

void Acceptor::BeDeaf(Duration length) {
  epoll_ctl(poll_.get(), EPOLL_CTL_DEL, listener_.get(), nullptr);
  deaf_ = true;
  resume_at_ = confab::Now() + length;
}

bool Acceptor::HasRoomFor(const std::string& host) const {
  const auto of_host = silent_of_host_.find(host);
  return silent_.size() + handed_.size() < options_.connections_max &&
         silent_.size() < options_.silent_max &&
         (of_host == silent_of_host_.end() || of_host->second < options_.silent_per_host_max);
}

bool Acceptor::AcceptOne() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  Descriptor socket(accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size,
                            SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      spdlog::error("{}: no more connections can be taken for now: {}", endpoint_.ToString(),
                    std::strerror(errno));
      BeDeaf(kDeafness);
      return false;
    }
    return errno == ECONNABORTED || errno == EINTR;
  }
  const Endpoint peer = FromSystem(address);
  std::string host = peer.ip.ToString();
  if (!HasRoomFor(host) || !connections_->HearsHost(host)) {
    refused_ = true;
    return true;  // and this one is closed
  }
  ++silent_of_host_[host];
  const std::uint64_t id = ++last_id_;
  Watch(socket.get(), id, EPOLLIN | EPOLLRDHUP | EPOLLET);
  silent_.emplace(id, Silent{std::move(socket), std::move(host), PeerName(peer),
                             confab::Now() + options_.silence_max});
  return true;
}

// Looks at what it has said so far, and leaves that to gRPC.
void Acceptor::Hear(std::uint64_t id, Silent& silent) {
  std::array<std::uint8_t, kClientHelloMax> bytes;
  const ssize_t size = recv(silent.socket.get(), bytes.data(), bytes.size(), MSG_PEEK);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return Forget(id);
  switch (ReadClientHello(std::span(bytes).first(static_cast<std::size_t>(size)))) {
    case ClientHello::kIncomplete:
      return;
    case ClientHello::kRefused:
      return Forget(id);
    case ClientHello::kTls13:
      break;
  }
  if (connections_->AdmitsHost(silent.host)) HandOn(silent);
  Forget(id);
}

void Acceptor::HandOn(Silent& silent) {
  const int yes = 1;
  setsockopt(silent.socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  Descriptor again(fcntl(silent.socket.get(), F_DUPFD_CLOEXEC, 0));
  if (!again) return;
  // From here on the duplicate is watched.
  epoll_ctl(poll_.get(), EPOLL_CTL_DEL, silent.socket.get(), nullptr);
  const std::uint64_t id = ++last_id_;
  const int duplicate = again.get();
  handed_.emplace(id, Handed{silent.peer, duplicate});
  auto tally = connections_->Add(silent.peer, id, std::move(again));
  if (guard_) guard_->Add(id, silent.peer, silent.host, duplicate, std::move(tally), confab::Now());
  Watch(duplicate, id, guard_ ? kGuarded : EPOLLRDHUP | EPOLLET);
  hand_(listener_.get(), silent.socket.Release());
}

void Acceptor::Forget(std::uint64_t id) {
  const auto found = silent_.find(id);
  const auto host = silent_of_host_.find(found->second.host);
  if (--host->second == 0) silent_of_host_.erase(host);
  silent_.erase(found);
}

}  // namespace radix::confab
