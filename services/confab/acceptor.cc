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
constexpr int kBacklog = 4096;  // what comes while nobody is heard
constexpr Duration kDeafness = 100ms;
// For so long nobody is heard when somebody was refused, or made room: then those who wait are
// dealt with at once, instead of each taking a turn of this thread from those whom the processor is
// for.
constexpr Duration kRefusing = 20ms;
// How often those that wait are looked at.
constexpr Duration kTurnEvery = 10ms;
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
  if (const auto found = silent_.find(id); found != silent_.end()) {
    if (!found->second.waits) return Hear(id, found->second);
    if ((events & ~std::uint32_t{EPOLLIN}) != 0) Forget(id);
    return;
  }
  const auto handed = handed_.find(id);
  if (handed == handed_.end()) return;
  if ((events & ~std::uint32_t{EPOLLIN}) == 0) return guard_->HandleBusy(id, confab::Now());
  Drop(id);
}

void Acceptor::Drop(std::uint64_t id) {
  const auto handed = handed_.find(id);
  const bool known = connections_->Remove(handed->second.peer, id);
  if (guard_) guard_->Remove(id, known);
  handed_.erase(handed);
}

// Ends those that were silent too long.
void Acceptor::EndTheSilent(Instant now) {
  while (!silent_.empty() && silent_.begin()->second.until <= now) {
    const auto& [id, silent] = *silent_.begin();
    if (silent.waits) {
      refusals_.Warn(absl::StrCat("host ", silent.host,
                                  " was refused: all callers together connect too often, and its "
                                  "turn did not come within ",
                                  options_.silence_max / 1ms, " ms"));
    } else {
      silences_.Warn(absl::StrCat("host ", silent.host,
                                  " was ended: it said no ClientHello within ",
                                  options_.silence_max / 1ms, " ms"));
    }
    Forget(id);
  }
}

// What else is due.
void Acceptor::LookAround(Instant now) {
  if (deaf_ && now >= resume_at_) {
    deaf_ = false;
    Watch(listener_.get(), kListenerId, EPOLLIN);
  }
  if (line_.next() && now >= next_turn_) GiveTurns(now);
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
  if (line_.next()) next = std::min(next, next_turn_);
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

// `host` has another one that is silent: it needs a place.
void Acceptor::MakeRoomBeside(const std::string& host) {
  if (places_.Of(host) > options_.silent_per_host_max) {
    EndForAnother({host, places_.OldestOf(host)},
                  absl::StrCat("it has more than ", options_.silent_per_host_max,
                               " connections without a handshake, and this was the oldest"));
  } else if (places_.size() > options_.silent_max) {
    const Places::Place place = *places_.MostCrowding();
    EndForAnother(place, absl::StrCat("of ", options_.silent_max,
                                      " connections without a handshake it has most, ",
                                      places_.Of(place.host), ", and this was the oldest of them"));
  }
}

void Acceptor::EndForAnother(const Places::Place& place, const std::string& why) {
  refused_ = true;
  displacements_.Warn(absl::StrCat("host ", place.host, " made room for another: ", why));
  Forget(place.id);
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
  const std::string host = HostOf(peer.ip);
  const bool is_too_late =
      !options_.budget.crowds_make_room && places_.size() >= options_.silent_max;
  if (is_too_late || !connections_->HearsHost(host)) {
    refused_ = true;
    return true;  // and this one is closed
  }
  const std::uint64_t id = ++last_id_;
  Watch(socket.get(), id, EPOLLIN | EPOLLRDHUP | EPOLLET);
  places_.Take(host, id);
  const auto silent = silent_.emplace(
      id, Silent{std::move(socket), host, PeerName(peer), confab::Now() + options_.silence_max});
  // Who says hello at once needs no place.
  Hear(id, silent.first->second);
  MakeRoomBeside(host);
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
      silences_.Warn(absl::StrCat("host ", silent.host,
                                  " was ended: what it said is no ClientHello with TLS 1.3"));
      return Forget(id);
    case ClientHello::kTls13:
      break;
  }
  // Nobody overtakes those that wait, but hosts for which something is kept.
  const bool is_next = !line_.next() || connections_->KnowsHost(silent.host);
  if (is_next && Admit(id, silent)) return;
  silent.waits = true;
  line_.Join(silent.host, id);
}

// Returns whether it had its turn, for better or worse.
bool Acceptor::Admit(std::uint64_t id, Silent& silent) {
  const auto admission = connections_->AdmitHost(silent.host);
  if (admission == Connections::Admission::kLater) return false;
  if (admission == Connections::Admission::kAdmitted) HandOn(silent);
  Forget(id);
  return true;
}

void Acceptor::GiveTurns(Instant now) {
  next_turn_ = now + kTurnEvery;
  while (const auto id = line_.next()) {
    if (!Admit(*id, silent_.at(*id))) return;
  }
}

bool Acceptor::HasRoomToHandOn(const std::string& host) {
  if (handed_.size() < options_.connections_max) return true;
  const auto stranger = guard_ ? guard_->MostCrowdingStranger() : std::nullopt;
  if (!stranger) {
    refusals_.Warn(absl::StrCat("host ", host, " was refused: there are ", handed_.size(),
                                " connections, and somebody was let in on each"));
    return false;
  }
  displacements_.Warn(absl::StrCat("host ", stranger->host, " made room for another: of ",
                                   handed_.size(),
                                   " connections it has most on which nobody was let in yet"));
  const Handed& handed = handed_.at(stranger->id);
  epoll_ctl(poll_.get(), EPOLL_CTL_DEL, handed.socket, nullptr);
  connections_->End(handed.peer, stranger->id);
  Drop(stranger->id);
  return true;
}

void Acceptor::HandOn(Silent& silent) {
  if (!HasRoomToHandOn(silent.host)) return;
  const int yes = 1;
  setsockopt(silent.socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  Descriptor again(fcntl(silent.socket.get(), F_DUPFD_CLOEXEC, 0));
  if (!again) {
    refusals_.Warn(absl::StrCat("host ", silent.host, " was refused: ", std::strerror(errno)));
    return;
  }
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
  line_.Leave(found->second.host, id);
  places_.Leave(found->second.host, id);
  silent_.erase(found);
}

}  // namespace radix::confab
