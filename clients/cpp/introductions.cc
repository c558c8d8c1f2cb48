#include "clients/cpp/introductions.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/trust/pairing_codec.h"

namespace radix {
namespace {

using trust::v1::IntroduceRequest;
using trust::v1::IntroduceResponse;
using trust::v1::PairingService;

constexpr std::size_t kIntroductionQueueMax = 1024;

}  // namespace

struct Introductions::Leash {
  std::mutex mutex;
  Introductions* owner = nullptr;
};

Introductions::Introduced::~Introduced() {
  const std::lock_guard lock(leash_->mutex);
  if (leash_->owner != nullptr) leash_->owner->Withdraw(own_);
}

bool Introductions::Introduced::IsEndpoint(const KeyId& shown) const {
  const std::lock_guard lock(leash_->mutex);
  return leash_->owner != nullptr && leash_->owner->IsEndpoint(own_, shown);
}

Introductions::Introductions(const confab::Node& node)
    : node_(node),
      leash_(std::make_shared<Leash>()),
      timer_([this](Instant now) { return Tick(now); }) {
  leash_->owner = this;
}

Introductions::~Introductions() {
  const std::lock_guard lock(leash_->mutex);
  leash_->owner = nullptr;
}

void Introductions::Ask(const trust::Pair& pair, Done done, OnDue on_due) {
  const std::lock_guard call_lock(call_mutex_);
  {
    const std::lock_guard lock(mutex_);
    rows_[pair.key] = {.pair = pair,
                       .done = std::move(done),
                       .introduced = std::make_shared<Introduced>(leash_, pair.key),
                       .overdue_at = confab::Now() + kLimit,
                       .on_due = std::move(on_due),
                       .due_at = confab::Now() + kPeriod,
                       .endpoint_keys = {}};
  }
  timer_.Wake();
  if (call_ != nullptr) {
    IntroduceRequest request;
    *request.add_pairs() = trust::ToProto(pair);
    call_->Send(std::move(request));
    return;
  }
  call_ = std::make_unique<LastingCall<Stream, IntroduceResponse>>(
      LastingCall<Stream, IntroduceResponse>::Handlers{
          .start =
              [this](std::shared_ptr<void>& keep) {
                std::shared_ptr<PairingService::Stub> stub =
                    PairingService::NewStub(confab::DialLocal(node_, "reeve"));
                auto stream = Stream::Create(kIntroductionQueueMax);
                stub->async()->Introduce(&stream->context(), stream.get());
                keep = std::move(stub);
                return stream;
              },
          .on_begin = [this](Stream& stream) { HandleBegin(stream); },
          .on_message = [this](const IntroduceResponse& response) { HandleMessage(response); },
          .on_end =
              [this](const grpc::Status& status) {
                const std::lock_guard lock(mutex_);
                last_error_ = status.error_message();
              }});
}

void Introductions::Withdraw(const KeyId& key) {
  {
    const std::lock_guard lock(mutex_);
    if (rows_.erase(key) == 0) return;
  }
  const std::lock_guard lock(call_mutex_);
  if (call_ == nullptr) return;
  IntroduceRequest request;
  request.add_gone(key.ToString());
  call_->Send(std::move(request));
}

bool Introductions::IsEndpoint(const KeyId& own, const KeyId& shown) {
  const std::lock_guard lock(mutex_);
  const auto row = rows_.find(own);
  return row != rows_.end() && std::ranges::count(row->second.endpoint_keys, shown) > 0;
}

void Introductions::HandleBegin(Stream& stream) {
  IntroduceRequest request;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, row] : rows_) *request.add_pairs() = trust::ToProto(row.pair);
  }
  if (!request.pairs().empty()) stream.Send(std::move(request));
}

void Introductions::HandleMessage(const IntroduceResponse& response) {
  std::vector<Answer> answers;
  std::vector<std::pair<OnDue, absl::Status>> forbidden;
  {
    const std::lock_guard lock(mutex_);
    last_error_.clear();
    for (const trust::v1::Admission& each : response.admissions()) {
      auto admission = trust::AdmissionFrom(each);
      if (!admission.ok()) continue;
      const auto row = rows_.find(admission->key);
      if (row == rows_.end()) continue;
      row->second.endpoint_keys = std::move(admission->endpoint_keys);
      if (row->second.done) {
        answers.push_back(AnswerOf(row->second, admission->status));
      } else if (absl::IsPermissionDenied(admission->status) && row->second.on_due) {
        forbidden.emplace_back(row->second.on_due, admission->status);
      }
    }
  }
  for (const Answer& each : answers) Give(each);
  for (const auto& [on_due, status] : forbidden) on_due(status);
  if (!response.roll()) return;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [key, row] : rows_) row.due_at = confab::Now();
  }
  timer_.Wake();
}

Instant Introductions::Tick(Instant now) {
  std::vector<Answer> answers;
  std::vector<OnDue> due;
  Instant next = Instant::max();
  {
    const std::lock_guard lock(mutex_);
    const std::string reeve = last_error_.empty() ? "" : "this node's reeve: " + last_error_;
    for (auto& [key, row] : rows_) {
      if (!row.done) {
        if (now >= row.due_at) {
          row.due_at = now + kPeriod;
          if (row.on_due) due.push_back(row.on_due);
        }
        next = std::min(next, row.due_at);
        continue;
      }
      if (now < row.overdue_at) {
        next = std::min(next, row.overdue_at);
        continue;
      }
      const std::string why = reeve.empty()
                                  ? absl::StrCat("the node of ", row.pair.endpoint.ToString(),
                                                 " did not answer in time")
                                  : reeve;
      answers.push_back(AnswerOf(row, absl::DeadlineExceededError(why)));
    }
  }
  for (const Answer& each : answers) Give(each);
  for (const OnDue& each : due) each(absl::OkStatus());
  return next;
}

void Introductions::Give(const Answer& answer) {
  if (answer.status.ok()) return answer.done(answer.introduced);
  answer.done(answer.status);
}

Introductions::Answer Introductions::AnswerOf(Row& row, const absl::Status& status) {
  // The key of one that failed is withdrawn with the answer, when no lock is held any more.
  Answer answer{.done = std::exchange(row.done, nullptr),
                .introduced = std::exchange(row.introduced, nullptr),
                .status = status};
  return answer;
}

}  // namespace radix
