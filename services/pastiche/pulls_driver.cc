#include "services/pastiche/pulls_driver.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/blocking_stream.h"
#include "clients/cpp/call.h"
#include "radix/pastiche/v1/pastiche.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/confab/grpc_status.h"

namespace radix::pastiche {
namespace {

constexpr std::size_t kWaitingMax = 1024;
constexpr auto kFetchLimit = std::chrono::hours(1);

Failure FailureOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND:
      return Failure::kAbsent;
    case grpc::StatusCode::DATA_LOSS:
      return Failure::kDamaged;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Failure::kBusy;
    default:
      return Failure::kBroken;
  }
}

std::string Describe(const grpc::Status& status) {
  return status.error_message().empty() ? absl::StrCat("gRPC status ", int{status.error_code()})
                                        : status.error_message();
}

}  // namespace

Pulls::Pulls(confab::Node node, const Store& store, Transfers& transfers, PullOptions options)
    : node_(std::move(node)), store_(store), transfers_(transfers), options_(options) {}

Pulls::~Pulls() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  for (const auto& [number, cancel] : fetches_) cancel();
  changed_.wait(lock, [this] { return running_.empty(); });
  for (std::thread& thread : ended_) thread.join();
}

void Pulls::Request(const Checksum& checksum, OnEnd on_end) {
  absl::Status refusal;
  {
    const std::lock_guard lock(mutex_);
    for (std::thread& thread : ended_) thread.join();  // none needs the lock any more
    ended_.clear();
    const auto found = running_.find(checksum);
    if (stopping_) {
      refusal = absl::CancelledError("this node's pastiche is ending");
    } else if (found != running_.end()) {
      if (found->second.waiting.size() < kWaitingMax) {
        found->second.waiting.push_back(std::move(on_end));
        return;
      }
      refusal = absl::ResourceExhaustedError(
          absl::StrCat(kWaitingMax, " callers wait for ", checksum.ToString(), " already"));
    } else if (auto transfer = transfers_.Begin([] {}); transfer.ok()) {
      Running& running = running_[checksum];
      running.waiting.push_back(std::move(on_end));
      running.transfer = *std::move(transfer);
      running.thread = std::thread([this, checksum] { Run(checksum); });
      return;
    } else {
      refusal = transfer.status();
    }
  }
  on_end(refusal);
}

void Pulls::Run(const Checksum& checksum) {
  const absl::StatusOr<Pulled> end = PullFile(checksum);
  if (!end.ok()) {
    spdlog::warn("pull: {}", std::string(end.status().message()));
  } else if (!end->source.empty()) {
    spdlog::info("pulled {} ({} bytes) from {}", checksum.ToString(), end->size_bytes, end->source);
  }
  std::unique_lock lock(mutex_);
  Running& running = running_.at(checksum);
  while (!running.waiting.empty()) {  // whoever comes meanwhile gets the same end
    const std::vector<OnEnd> waiting = std::exchange(running.waiting, {});
    lock.unlock();
    for (const OnEnd& on_end : waiting) on_end(end);
    lock.lock();
  }
  ended_.push_back(std::move(running.thread));
  running_.erase(checksum);
  changed_.notify_all();
}

absl::StatusOr<Pulled> Pulls::PullFile(const Checksum& checksum) {
  const auto here = store_.Verify(checksum);
  if (here.ok()) return Pulled{here->size_bytes, ""};
  if (absl::IsDataLoss(here.status())) {
    spdlog::error("{}", std::string(here.status().message()));
  } else if (!absl::IsNotFound(here.status())) {
    return here.status();
  }
  Pull pull(checksum.ToString(), options_, confab::RandomNumber());
  for (;;) {
    const PullStep step = pull.Next(confab::Now());
    switch (step.kind) {
      case PullStep::Kind::kLookup:
        Lookup(pull);
        break;
      case PullStep::Kind::kFetch: {
        const Fetched fetched = Fetch(checksum, step.peer);
        if (fetched.file.ok()) return Pulled{fetched.file->size_bytes, step.peer.node};
        if (fetched.local) return fetched.file.status();
        pull.HandleFailure(fetched.failure, std::string(fetched.file.status().message()));
        break;
      }
      case PullStep::Kind::kWait:
        if (!WaitUntil(step.until)) return absl::CancelledError("this node's pastiche is ending");
        break;
      case PullStep::Kind::kGiveUp:
        return step.status;
    }
  }
}

void Pulls::Lookup(Pull& pull) const {
  reeve::v1::LookupRequest request;
  request.mutable_selector()->set_horde("radix");
  request.mutable_selector()->set_api("pastiche1");
  reeve::v1::LookupResponse response;
  const auto stub = reeve::v1::ReeveService::NewStub(confab::DialLocal(node_, "reeve"));
  const grpc::Status status =
      Call(*stub->async(), &reeve::v1::ReeveService::Stub::async::Lookup, request, response);
  if (!status.ok() && status.error_code() != grpc::StatusCode::NOT_FOUND) {
    return pull.HandleNoLookup(Describe(status));
  }
  std::vector<Peer> peers;
  for (const registry::v1::Instance& instance : response.instances()) {
    if (instance.node() != node_.name) peers.push_back({instance.node(), instance.net_id()});
  }
  pull.HandlePeers(std::move(peers));
}

Pulls::Fetched Pulls::Fetch(const Checksum& checksum, const Peer& peer) {
  const auto channel = confab::Dial(node_, peer.net_id, "pastiche");
  if (!channel.ok()) return {channel.status(), Failure::kBroken};
  auto incoming = store_.Begin(checksum);
  if (!incoming.ok()) return {incoming.status(), Failure::kBroken, true};

  const auto stub = v1::PasticheService::NewStub(*channel);
  v1::GetRequest request;
  request.set_checksum(checksum.ToString());
  request.set_local_only(true);  // or two that both lack it would ask each other
  BlockingReader<v1::GetResponse> reader;
  reader.context().set_deadline(confab::WallNow() + kFetchLimit);
  stub->async()->Get(&reader.context(), &request, &reader);
  reader.Begin();
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = next_fetch_++;
    fetches_[number] = [&reader] { reader.Cancel(); };
    if (stopping_) reader.Cancel();
  }

  v1::GetResponse response;
  std::int64_t promised_bytes = 0;
  bool first = true;
  absl::Status stored;
  absl::Status wrong;
  while (stored.ok() && wrong.ok() && reader.Next(response, transfers_.stall_limit())) {
    if (std::exchange(first, false)) promised_bytes = response.size_bytes();
    stored = (*incoming)->Append(response.data());
    if ((*incoming)->size_bytes() > promised_bytes) {
      wrong = absl::DataLossError(
          absl::StrCat("sent more than the ", promised_bytes, " bytes that it promised"));
    }
  }
  {
    const std::lock_guard lock(mutex_);
    fetches_.erase(number);
  }
  const grpc::Status status = reader.End();
  if (!stored.ok()) return {stored, Failure::kBroken, true};
  if (!wrong.ok()) return {wrong, Failure::kWrong};
  if (!status.ok()) {
    return {confab::FromGrpc({status.error_code(), Describe(status)}), FailureOf(status)};
  }
  auto file = (*incoming)->Commit();
  if (absl::IsInvalidArgument(file.status())) {
    spdlog::error("{} ({}) sent wrong bytes: {}", peer.node, peer.net_id,
                  std::string(file.status().message()));
    return {file.status(), Failure::kWrong};
  }
  const bool local = !file.ok();
  return {std::move(file), Failure::kBroken, local};
}

bool Pulls::WaitUntil(Instant until) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, until - confab::Now(), [this] { return stopping_; });
}

}  // namespace radix::pastiche
