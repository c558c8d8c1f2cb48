#include "services/flock/flock_driver.h"

#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/flock/introduction_codec.h"

namespace radix::flock {
namespace {

constexpr int kBatchesMax = 8;  // taken before time gets its turn
constexpr Duration kUpkeepInterval = 10s;
// Whom it knew first is remembered sooner: it may not live for ten seconds.
constexpr Duration kFirstUpkeep = 1s;
constexpr Duration kTellAgain = 1s;
constexpr Duration kWaitMost = 1s;

Instant UntilOf(const std::optional<Leadership>& leadership) {
  return leadership ? leadership->until : Instant::max();
}

bool Same(const std::optional<Leadership>& a, const std::optional<Leadership>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->leader == b->leader && a->epoch == b->epoch && a->until == b->until;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FlockDriver>> FlockDriver::Create(
    const Config& config, const confab::Node& node, const std::filesystem::path& key_file) {
  auto socket = confab::UdpSocket::Open({node.address, config.charter.port}, kDatagramSizeMax);
  if (!socket.ok()) return socket.status();
  confab::Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return absl::ResourceExhaustedError(absl::StrCat("eventfd: ", std::strerror(errno)));
  auto core = Flock::Create(config, confab::Now());
  if (!core.ok()) return core.status();
  return std::unique_ptr<FlockDriver>(new FlockDriver(config, node, key_file, *std::move(core),
                                                      *std::move(socket), std::move(wake)));
}

FlockDriver::FlockDriver(const Config& config, const confab::Node& node,
                         const std::filesystem::path& key_file, Flock core,
                         confab::UdpSocket socket, confab::Descriptor wake)
    : ranges_(config.charter.ranges),
      at_most_(config.charter.at_most),
      wake_(std::move(wake)),
      core_(std::move(core)),
      socket_(std::move(socket)),
      naming_(core_.self(), {node.name, node.labels}),
      log_(ranges_, naming_, core_.self()),
      stored_revoked_(config.revoked),
      disk_({node.state, key_file, node.name}, config.charter.ranges,
            {.on_promise =
                 [this](const Promise& promise) {
                   {
                     const std::lock_guard lock(mutex_);
                     stored_ = promise;
                   }
                   Wake();
                 },
             .on_promise_refused =
                 [this](const Promise& promise) {
                   {
                     const std::lock_guard lock(mutex_);
                     not_stored_ = promise;
                   }
                   Wake();
                 },
             .on_key_file =
                 [this](std::uint32_t version) {
                   {
                     const std::lock_guard lock(mutex_);
                     stored_keys_ = version;
                   }
                   Wake();
                 }}) {}

FlockDriver::~FlockDriver() {
  Leave();
  EndOrders();
}

void FlockDriver::Begin(Handlers handlers) {
  handlers_ = std::move(handlers);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "gossip");
    Run();
  });
}

void FlockDriver::Leave() { End(Ending::kLeave); }

void FlockDriver::Abandon() { End(Ending::kAbandon); }

void FlockDriver::End(Ending ending) {
  if (!thread_.joinable()) return;
  ending_ = ending;
  Wake();
  thread_.join();
  EndOrders();
}

void FlockDriver::Wake() const { eventfd_write(wake_.get(), 1); }

void FlockDriver::AfterTurn(std::function<void()> then) {
  {
    const std::lock_guard lock(mutex_);
    after_turn_.push_back(std::move(then));
  }
  Wake();
}

void FlockDriver::Wait(Instant until) const {
  const Duration left = std::clamp<Duration>(until - confab::Now(), 0ns, kWaitMost);
  const timespec timeout{static_cast<time_t>(left / 1s), static_cast<long>((left % 1s).count())};
  std::array<pollfd, 2> ready = {pollfd{socket_.fd(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
  if (ppoll(ready.data(), ready.size(), &timeout, nullptr) > 0 && ready[1].revents != 0) {
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
  }
}

void FlockDriver::Run() {
  Instant wake_at{};
  while (ending_ == Ending::kNone) {
    Wait(wake_at);
    bool changed = false;
    std::vector<std::function<void()>> after;
    {
      const std::lock_guard lock(mutex_);
      wake_at = Step();
      changed = std::exchange(changed_, false);
      after = std::exchange(after_turn_, {});
    }
    wake_at = std::min(wake_at, TellLeadership());
    if (changed && handlers_.on_change) handlers_.on_change();
    AnswerOrders();
    for (const auto& then : after) then();
  }
  if (ending_ == Ending::kAbandon) return;
  {
    const std::lock_guard lock(mutex_);
    core_.Leave(confab::Now());
    Drain();
  }
  TellLeadership();
  if (handlers_.on_change) handlers_.on_change();
}

Instant FlockDriver::Step() {
  Receive();
  TakeStored();
  TakeRevoked();
  const Instant now = confab::Now();
  if (now >= core_.NextTimeout()) {
    core_.HandleTimeout(now);
    Drain();
  }
  AskForNames(now);
  if (now >= upkeep_at_) Upkeep(now);
  if (StandingChanged(now)) changed_ = true;
  return std::min({core_.NextTimeout(), naming_.NextTimeout(), upkeep_at_, UntilOf(standing_.own),
                   UntilOf(standing_.grant)});
}

void FlockDriver::TakeStored() {
  if (stored_) {
    core_.HandlePersisted(*std::exchange(stored_, std::nullopt), confab::Now());
    Drain();
  }
  if (not_stored_) {
    core_.HandleNotPersisted(*std::exchange(not_stored_, std::nullopt), confab::Now());
    Drain();
  }
  if (stored_keys_) {
    core_.HandleKeyFileStored(*std::exchange(stored_keys_, std::nullopt), confab::Now());
    Drain();
  }
}

void FlockDriver::TakeRevoked() {
  if (!revoked_) return;
  core_.SetRevoked(*revoked_, confab::Now());
  Drain();
  changed_ = true;
  if (stored_revoked_ != *revoked_) disk_.StoreRevoked(*revoked_);
  stored_revoked_ = *std::exchange(revoked_, std::nullopt);
}

void FlockDriver::Receive() {
  for (int i = 0; i < kBatchesMax; ++i) {
    const auto datagrams = socket_.Receive();
    for (const confab::Datagram& datagram : datagrams) {
      core_.HandleDatagram(datagram.from, datagram.bytes, confab::Now());
      Drain();
    }
    if (datagrams.size() < confab::UdpSocket::kBatch) return;
  }
}

void FlockDriver::Drain() {
  while (const auto transmit = core_.PollTransmit()) {
    if (!socket_.Send(transmit->to, transmit->bytes)) ++unsent_;
  }
  while (const auto promise = core_.PollPersist()) disk_.StorePromise(*promise);
  while (const auto file = core_.PollKeyFile()) disk_.StoreKeyFile(*file);
  while (const auto event = core_.PollEvent()) Handle(*event);
}

void FlockDriver::Handle(const Event& event) {
  changed_ = true;
  switch (event.kind) {
    case EventKind::kJoined:
    case EventKind::kRefuted:
      naming_.HandleLive(event.subject, event.at);
      if (peers_.empty()) upkeep_at_ = std::min(upkeep_at_, event.at + kFirstUpkeep);
      break;
    case EventKind::kDied:
    case EventKind::kLeft:
      naming_.HandleGone(event.subject);
      break;
    case EventKind::kIntroduced:
      HandleIntroduced(event);
      return;
    default:
      break;
  }
  log_.Add(event);
}

void FlockDriver::HandleIntroduced(const Event& event) {
  auto introduction = DecodeIntroduction(event.introduction);
  if (!introduction.ok()) {
    log_.Say(KindName(event.kind), event.subject, std::string(introduction.status().message()),
             event.at);
    return;
  }
  const std::string name = introduction->name;
  const auto other = naming_.HandleIntroduction(event.subject, *std::move(introduction));
  log_.Say(KindName(event.kind), event.subject, absl::StrCat("is called ", name), event.at);
  if (other) {
    log_.Add({EventKind::kAlarm, Evidence::kSameName, event.at, event.subject, *other});
  }
}

void FlockDriver::AskForNames(Instant now) {
  bool asked = false;
  while (const auto member = naming_.PollRequest(now)) {
    core_.RequestIntroduction(member->slot, now);
    asked = true;
  }
  if (asked) Drain();
}

// What is due now and then: names that were missed, peers to remember. Nothing about strangers:
// their datagrams are counted, and nobody without a key shall be able to fill a log.
void FlockDriver::Upkeep(Instant now) {
  upkeep_at_ = now + kUpkeepInterval;
  naming_.Reconcile(core_.Members(now), now);
  auto peers = core_.PeersToRemember();
  if (peers != peers_ && !peers.empty()) {
    std::vector<IpAddress> addresses;
    for (const std::uint32_t slot : peers) addresses.push_back(ranges_.At(slot));
    disk_.StorePeers(std::move(addresses));
    peers_ = std::move(peers);
  }
}

FlockDriver::Standing FlockDriver::CurrentStanding(Instant now) const {
  Standing standing{core_.own_leadership(now), core_.own_grant(now), std::nullopt};
  if (const auto sealed = core_.sealed_leader(now)) standing.leader = sealed->leader;
  return standing;
}

bool FlockDriver::StandingChanged(Instant now) {
  const Standing before = std::exchange(standing_, CurrentStanding(now));
  return !Same(before.own, standing_.own) || !Same(before.grant, standing_.grant) ||
         before.leader != standing_.leader;
}

Instant FlockDriver::TellLeadership() {
  std::optional<std::uint64_t> epoch;
  {
    const std::lock_guard lock(mutex_);
    const auto own = core_.own_leadership(confab::Now());
    if (own) epoch = own->epoch;
  }
  if (!handlers_.on_leadership || (told_ && epoch == told_epoch_)) return Instant::max();
  const Instant now = confab::Now();
  if (now < tell_at_ && ending_ == Ending::kNone) return tell_at_;
  if (handlers_.on_leadership(epoch)) {
    told_ = true;
    told_epoch_ = epoch;
    return Instant::max();
  }
  return tell_at_ = now + kTellAgain;
}

Group FlockDriver::View() const {
  const std::lock_guard lock(mutex_);
  const Instant now = confab::Now();
  Group group{.at = now,
              .self = core_.self(),
              .members = {},
              .sealed = core_.sealed_leader(now),
              .own = core_.own_leadership(now),
              .grant = core_.own_grant(now),
              .contact_count = core_.contact_count(now),
              .quorum = core_.quorum(),
              .at_most = at_most_,
              .turned_away = !core_.has_vote()};
  if (group.own) group.sealed = group.own;
  for (const MemberView& member : core_.Members(now)) {
    const Introduction* introduction = naming_.Find(member.id);
    group.members.push_back({.id = member.id,
                             .incarnation = member.incarnation,
                             .state = member.state,
                             .address = ranges_.At(member.id.slot),
                             .fingerprint = member.fingerprint,
                             .revoked = member.revoked,
                             .introduction = introduction ? *introduction : Introduction{}});
  }
  return group;
}

std::vector<Happening> FlockDriver::LastEvents(std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  return log_.Name(log_.history().Last(limit));
}

std::vector<Happening> FlockDriver::EventsAfter(std::int64_t sequence, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  return log_.Name(log_.history().After(sequence, limit));
}

std::int64_t FlockDriver::last_event() const {
  const std::lock_guard lock(mutex_);
  return log_.history().last();
}

absl::StatusOr<Account> FlockDriver::Explain(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  const Instant now = confab::Now();
  auto story = TellStory(node, {ranges_, naming_, log_.history(), core_.self(), core_.Members(now),
                                CurrentStanding(now).leader, AllCounters()});
  if (!story.ok()) return story.status();
  std::vector<Happening> events = log_.Name(story->events);
  return Account{*std::move(story), std::move(events)};
}

bool FlockDriver::OrderKeys(const KeyOrder& order, std::function<void(const KeyReport&)> then) {
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) {
      const std::uint64_t id = core_.OrderKeys(order, confab::Now());
      if (id == 0) return false;
      orders_.emplace(id, std::move(then));
      then = nullptr;
    }
  }
  if (then) {
    then(KeyReport{});
  } else {
    Wake();
  }
  return true;
}

void FlockDriver::AnswerOrders() {
  std::vector<std::pair<std::function<void(const KeyReport&)>, KeyReport>> answers;
  {
    const std::lock_guard lock(mutex_);
    while (auto answer = core_.PollKeyAnswer()) {
      auto order = orders_.extract(answer->id);
      if (!order.empty())
        answers.emplace_back(std::move(order.mapped()), std::move(answer->report));
    }
  }
  for (const auto& [then, report] : answers) then(report);
}

void FlockDriver::EndOrders() {
  std::map<std::uint64_t, std::function<void(const KeyReport&)>> orders;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    orders = std::exchange(orders_, {});
  }
  for (const auto& [id, then] : orders) then(KeyReport{});
}

void FlockDriver::SetRevoked(std::vector<std::uint64_t> fingerprints) {
  {
    const std::lock_guard lock(mutex_);
    revoked_ = std::move(fingerprints);
  }
  Wake();
}

std::uint32_t FlockDriver::transient_key() const {
  const std::lock_guard lock(mutex_);
  return core_.transient_key_id();
}

std::uint64_t FlockDriver::unsent_count() const {
  const std::lock_guard lock(mutex_);
  return unsent_;
}

Counters FlockDriver::counters() const {
  const std::lock_guard lock(mutex_);
  return AllCounters();
}

Counters FlockDriver::AllCounters() const {
  Counters counters = core_.counters();
  // The core sees none of what the socket drops.
  counters.received += socket_.too_long();
  counters.dropped_malformed += socket_.too_long();
  return counters;
}

}  // namespace radix::flock
