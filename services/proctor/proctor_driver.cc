#include "services/proctor/proctor_driver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/proctor/doneness.h"

namespace radix::proctor {
namespace {

constexpr std::size_t kRefusalMax = 256;  // of a dean's reason

constexpr Duration kLeaseCheck = 100ms;  // also bounds how late a time-out is noticed
constexpr Duration kNodeGrace = 5s;      // for a lost node to come back before it is replaced

v1::UnmetItem ToWire(const UnmetItem& item) {
  v1::UnmetItem wire;
  wire.set_manifest(item.manifest);
  wire.set_service(item.service);
  wire.set_node(item.node);
  wire.set_reason(item.reason);
  return wire;
}

v1::ServiceStatus ToWire(const ServiceStatus& status) {
  v1::ServiceStatus wire;
  wire.set_manifest(status.manifest);
  wire.set_service(status.service);
  wire.set_inst(status.inst);
  wire.set_horde(status.horde);
  wire.set_api(status.api);
  wire.set_want_count(static_cast<std::int32_t>(std::min<std::int64_t>(status.want, INT32_MAX)));
  wire.set_serving_count(static_cast<std::int32_t>(status.serving));
  for (const std::string& node : status.nodes) wire.add_nodes(node);
  return wire;
}

v1::FollowResponse ToWire(const Decisions::Write& write, std::int64_t epoch) {
  v1::FollowResponse response;
  response.set_epoch(epoch);
  *response.mutable_write() = ToWire(write.document, /*with_body=*/true);
  response.set_rewritten(write.rewritten);
  return response;
}

grpc::Status TooSlow() {
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the stream is read too slowly"};
}

}  // namespace

ProctorDriver::ProctorDriver(Options options)
    : options_(std::move(options)),
      own_address_(options_.node.address.ToString()),
      lease_(static_cast<std::uint64_t>(options_.epoch), confab::Now()),
      roster_(kNodeGrace, options_.settle) {}

std::shared_ptr<ProctorDriver> ProctorDriver::Create(Options options) {
  std::shared_ptr<ProctorDriver> driver(new ProctorDriver(std::move(options)));
  driver->Start();
  return driver;
}

void ProctorDriver::Start() {
  {
    const std::lock_guard lock(mutex_);  // the first tick waits until timer_ is set
    timer_ = std::make_unique<confab::TimerThread>([this](Instant now) { return Tick(now); });
  }
  flock_.emplace(options_.node, [this](const registry::Group& group) { HandleGroup(group); });
}

Instant ProctorDriver::Tick(Instant now) {
  Calls calls;
  Instant next = now + kLeaseCheck;
  {
    const std::lock_guard lock(mutex_);
    CheckLease(now, calls);
    if (!over_ && decisions_) {
      decisions_->HandleTimeout(now);
      Advance(now, calls);
    }
  }
  for (const auto& call : calls) call();
  return next;
}

void ProctorDriver::HandleGroup(const registry::Group& group) {
  const Instant now = confab::Now();  // before the lock: waiting for it prolongs no lease
  std::map<std::string, std::uint64_t> fingerprints;
  for (const registry::Member& member : group.members) {
    fingerprints[member.address.ToString()] = member.fingerprint;
  }
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    lease_.HandleGroup(group, now);
    if (lease_.Over(now) && now < lease_.ends_at()) {  // it did not run out
      Over(absl::StrCat("the sealed leader's epoch is ", group.epoch), calls);
    } else if (lease_.Held(now)) {
      alive_ = group.Unsuspected();
      roster_.Expect(alive_);
      if (roster_.SetFingerprints(std::move(fingerprints))) plan_due_ = true;
      if (!decisions_ && group.quorum > 0) Begin(group.quorum);
    }
  }
  for (const auto& call : calls) call();
  timer_->Wake();
}

// flock has confirmed the epoch.
void ProctorDriver::Begin(std::size_t quorum) {
  decisions_.emplace(
      Decisions::Options{.epoch = options_.epoch, .own_slot = own_address_, .quorum = quorum});
  spdlog::info("leading under epoch {}, waiting for the reports of {} nodes", options_.epoch,
               quorum);
}

void ProctorDriver::CheckLease(Instant now, Calls& calls) {
  if (over_) return;
  if (lease_.Over(now)) {
    Over(lease_.Confirmed() ? "the lease ran out"
                            : "this node's flock does not say that it leads under that epoch",
         calls);
  } else if (decisions_ && decisions_->phase() == Decisions::Phase::kSuperseded) {
    Over("a node promised a later epoch", calls);
  }
}

// The epoch is over: nothing is acknowledged or ordered from here on.
void ProctorDriver::Over(const std::string& why, Calls& calls) {
  if (over_) return;
  over_ = true;
  spdlog::info("epoch {} is over: {}", options_.epoch, why);
  const absl::Status status = absl::UnavailableError(
      absl::StrCat("the lease of epoch ", options_.epoch,
                   " ended before enough nodes had it on disk; it may or may not have been kept: "
                   "ask for the status, or apply again"));
  changes_.FailAll(status, calls);
  for (auto& [id, session] : sessions_) {
    calls.push_back([end = session.link.end] {
      end({grpc::StatusCode::FAILED_PRECONDITION, "the lease ended"});
    });
  }
  sessions_.clear();
  if (options_.on_over) calls.push_back(options_.on_over);
}

void ProctorDriver::Close() {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    Over("asked to end", calls);
  }
  for (const auto& call : calls) call();
  flock_.reset();
}

absl::StatusOr<ProctorDriver::LinkId> ProctorDriver::Connect(const Hello& hello, Link link) {
  Calls calls;
  LinkId id = 0;
  {
    const std::lock_guard lock(mutex_);
    const Instant now = confab::Now();
    CheckLease(now, calls);
    if (over_ || !decisions_ || hello.epoch != options_.epoch) {
      return absl::FailedPreconditionError(
          absl::StrCat("this proctor's epoch is ", options_.epoch,
                       over_ || !decisions_ ? ", and it does not lead now" : ""));
    }
    const auto address = IpAddress::Parse(hello.address);
    if (!address.ok() || !options_.charter.ranges.SlotOf(*address)) {
      return absl::InvalidArgumentError(
          absl::StrCat("hello.address: ", hello.address, " is not in the charter's ranges"));
    }
    if (hello.proved) {
      auto is_it =
          registry::CheckIsAt(*address, *hello.proved, roster_.FingerprintAt(hello.address));
      if (!is_it.ok()) return is_it;
    }
    id = next_link_++;
    for (auto old = sessions_.begin(); old != sessions_.end();) {
      if (old->second.address != hello.address) {
        ++old;
        continue;
      }
      calls.push_back([end = old->second.link.end] {
        end({grpc::StatusCode::ABORTED, "the node opened a newer stream"});
      });
      old = sessions_.erase(old);
    }
    sessions_[id] = {hello.address, std::move(link), std::nullopt, ""};
    decisions_->HandleDisconnect(hello.address);
    decisions_->HandleReport(hello.address, {hello.document, hello.losses}, now);
    roster_.Connect(hello.address, hello.node, hello.labels, hello.plugins, now);
    if (roster_.NameAt(hello.address).empty()) {
      spdlog::error("{} calls itself {}, as another node does: it gets nothing placed on it",
                    hello.address, hello.node);
    }
    if (hello.losses > 0) {
      spdlog::warn("{} ({}) follows; its disk was damaged, it gets all decisions again", hello.node,
                   hello.address);
    } else {
      spdlog::info("{} ({}) follows, with revision {} of epoch {}", hello.node, hello.address,
                   hello.document.revision, hello.document.epoch);
    }
    plan_due_ = true;
  }
  for (const auto& call : calls) call();
  timer_->Wake();
  return id;
}

void ProctorDriver::HandlePlugins(LinkId id, const v1::PluginsReport& report) {
  {
    const std::lock_guard lock(mutex_);
    const auto session = sessions_.find(id);
    if (session == sessions_.end()) return;
    roster_.Report(session->second.address, ToPlugins(report),
                   {report.errors().begin(), report.errors().end()});
    plan_due_ = true;
  }
  timer_->Wake();
}

void ProctorDriver::HandleAck(LinkId id, const v1::DocumentAck& ack) {
  {
    const std::lock_guard lock(mutex_);
    const auto session = sessions_.find(id);
    if (session == sessions_.end() || over_) return;
    const std::string& address = session->second.address;
    const v1::Document& name = ack.document();
    session->second.refusal = ack.refusal().substr(0, kRefusalMax);
    if (ack.refusal().empty()) {
      decisions_->HandleAck(address, name.epoch(), name.revision(), name.checksum(), confab::Now());
    } else {
      spdlog::warn("{} does not keep revision {}: {}", address, name.revision(), ack.refusal());
    }
  }
  timer_->Wake();
}

void ProctorDriver::Disconnect(LinkId id) {
  {
    const std::lock_guard lock(mutex_);
    const auto session = sessions_.find(id);
    if (session == sessions_.end()) return;
    spdlog::info("{} follows no more", session->second.address);
    decisions_->HandleDisconnect(session->second.address);
    roster_.Disconnect(session->second.address, confab::Now());
    sessions_.erase(session);
    plan_due_ = true;
  }
  timer_->Wake();
}

absl::Status ProctorDriver::Leading(Instant now) const {
  if (over_) return absl::FailedPreconditionError("this proctor's epoch is over; try again");
  if (!decisions_ || !lease_.Held(now)) {
    return absl::FailedPreconditionError("this proctor holds no lease now; try again");
  }
  if (decisions_->phase() != Decisions::Phase::kLeading || loaded_revision_ < 0) {
    const std::size_t lost = decisions_->lost_count();
    return absl::FailedPreconditionError(absl::StrCat(
        "this proctor does not know the group's decisions yet: ", decisions_->report_count(),
        " nodes reported, ", decisions_->quorum(), " must",
        decisions_->own_reported() ? "" : ", this leader's own node among them, which has not",
        lost == 0 ? std::string()
                  : absl::StrCat(" (", lost, " more lost theirs with a damaged desired.db)"),
        "; ", WhoRefuses(), "try again"));
  }
  return absl::OkStatus();
}

absl::Status ProctorDriver::CheckLeading() {
  const std::lock_guard lock(mutex_);
  return Leading(confab::Now());
}

void ProctorDriver::Make(Change change) {
  absl::Status status;
  {
    const std::lock_guard lock(mutex_);
    status = Leading(confab::Now());
    if (status.ok()) status = changes_.Add(change);
  }
  if (!status.ok()) return change.done(status);
  timer_->Wake();
}

// Everything that follows from what happened: writes, acknowledgements, the next proposal, orders.
void ProctorDriver::Advance(Instant now, Calls& calls) {
  if (decisions_->phase() == Decisions::Phase::kLeading &&
      decisions_->decided().revision != loaded_revision_) {
    const Document& decided = decisions_->decided();
    if (!body_.ParseFromString(decided.body)) {
      return Over("the decided document cannot be read by this version", calls);
    }
    loaded_revision_ = decided.revision;
    placement_.Load(body_);
    for (const auto& [name, why] : placement_.set_aside()) {
      spdlog::error("manifest {} is set aside: {}", name, why);
    }
    roster_.Begin(now);
    plan_due_ = true;
    spdlog::info("revision {} is decided: {} manifests", decided.revision, body_.manifests_size());
  }
  changes_.Finish(
      loaded_revision_, [this] { return WhoRefuses(); }, now, calls);
  if (Leading(now).ok()) changes_.Propose(body_, *decisions_, now, calls);
  while (std::optional<Decisions::Write> write = decisions_->PollWrite()) {
    for (auto& [id, session] : sessions_) {
      if (session.address != write->slot) continue;
      if (!session.link.send(ToWire(*write, options_.epoch))) {
        calls.push_back([end = session.link.end] { end(TooSlow()); });
      }
    }
  }
  if (loaded_revision_ >= 0) Plan(now);
}

// Places everything anew and tells every node whose assignment changed.
void ProctorDriver::Plan(Instant now) {
  const std::optional<Instant> due = roster_.NextTimeout();
  if ((!plan_due_ && (!due || now < *due)) || !roster_.IsSettled(now)) return;
  plan_due_ = false;
  const Nodes nodes = roster_.View(now);
  placed_ = placement_.Place(nodes);
  std::map<std::string, Assignment> plan = placement_.PlanFor(placed_, nodes);
  for (auto& [id, session] : sessions_) {
    const auto assignment = plan.find(roster_.NameAt(session.address));
    if (assignment == plan.end() || session.sent == assignment->second) continue;
    assignment_revision_ = std::max(assignment_revision_ + 1, now.time_since_epoch() / 1ms);
    v1::FollowResponse response;
    response.set_epoch(options_.epoch);
    *response.mutable_assignment() = proctor::ToWire(assignment->second, assignment_revision_);
    if (session.link.send(response)) session.sent = std::move(assignment->second);
  }
}

// The nodes that live, but without a dean that follows: fewer than there seem to be keep the
// group's decisions, and nothing is placed on them.
std::vector<UnmetItem> ProctorDriver::Absent() const {
  std::set<std::string> missing = alive_;
  for (const auto& [id, session] : sessions_) missing.erase(session.address);
  std::vector<UnmetItem> items;
  for (const std::string& address : missing) {
    if (items.size() >= kUnmetMax) break;
    const std::string name = roster_.NameAt(address);
    items.push_back({"radix", "dean", name.empty() ? address : name,
                     "the node lives, but its dean takes no part; its log says why"});
  }
  return items;
}

// Nodes that go by what was decided before.
std::vector<UnmetItem> ProctorDriver::Refusing() const {
  std::vector<UnmetItem> items;
  for (const auto& [id, session] : sessions_) {
    if (session.refusal.empty() || items.size() >= kUnmetMax) continue;
    const std::string name = roster_.NameAt(session.address);
    items.push_back(
        {"radix", "dean", name.empty() ? session.address : name,
         absl::StrCat("it keeps none of what is decided, so it goes by what was before",
                      session.address == own_address_ ? ", and as it leads nothing is" : "", ": ",
                      session.refusal)});
  }
  return items;
}

// For people: "n1: it keeps none of ...; ", or empty.
std::string ProctorDriver::WhoRefuses() const {
  std::string who;
  for (const UnmetItem& item : Refusing()) {
    absl::StrAppend(&who, item.node, ": ", item.reason, "; ");
    if (who.size() > kRefusalMax) break;
  }
  return who;
}

// What is amiss in no horde alone.
std::vector<UnmetItem> ProctorDriver::OfTheGroup() const {
  std::vector<UnmetItem> items;
  for (const auto& [name, why] : placement_.set_aside()) items.push_back({name, "", "", why});
  std::vector<UnmetItem> absent = Absent();
  items.insert(items.end(), absent.begin(), absent.end());
  std::vector<UnmetItem> refusing = Refusing();
  items.insert(items.end(), refusing.begin(), refusing.end());
  return items;
}

absl::StatusOr<v1::GetStatusResponse> ProctorDriver::Status(const std::string& horde) {
  const std::lock_guard lock(mutex_);
  const Instant now = confab::Now();
  if (absl::Status status = Leading(now); !status.ok()) return status;
  if (!roster_.IsSettled(now)) {
    return absl::FailedPreconditionError(
        absl::StrCat("this proctor still waits for the nodes: ", sessions_.size(), " of ",
                     alive_.size(), " are connected; try again"));
  }
  if (!horde.empty() && placement_.hordes().Find(horde) == nullptr) {
    return absl::NotFoundError(absl::StrCat("no horde is called '", horde, "'"));
  }
  Plan(now);
  const Nodes nodes = roster_.View(now);
  Doneness doneness = horde.empty() ? Measure(placed_, nodes) : MeasureIn(horde, placed_, nodes);
  const std::vector<UnmetItem> more = horde.empty() ? OfTheGroup() : std::vector<UnmetItem>();
  doneness.total += static_cast<std::int64_t>(more.size());
  v1::GetStatusResponse response;
  response.set_epoch(options_.epoch);
  response.set_revision(loaded_revision_);
  response.set_doneness(doneness.value());
  response.set_builtin_doneness(doneness.builtin_value());
  for (const UnmetItem& item : doneness.unmet) *response.add_unmet() = ToWire(item);
  for (const UnmetItem& item : more) *response.add_unmet() = ToWire(item);
  for (const ServiceStatus& service : doneness.services) {
    *response.add_services() = ToWire(service);
  }
  for (const auto& [name, node] : nodes) {
    const bool is_there = horde.empty() || placement_.hordes().Has(horde, node.fingerprint);
    if (node.connected && is_there) response.add_nodes(name);
  }
  return response;
}

absl::StatusOr<v1::ListDecisionsResponse> ProctorDriver::List(const std::string& kind) {
  const std::lock_guard lock(mutex_);
  if (absl::Status status = Leading(confab::Now()); !status.ok()) return status;
  v1::ListDecisionsResponse response;
  response.set_revision(loaded_revision_);
  for (const v1::Decision& decision : body_.decisions()) {
    if (decision.kind() == kind) *response.add_decisions() = decision;
  }
  return response;
}

}  // namespace radix::proctor
