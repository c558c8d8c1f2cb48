#include "services/pastiche/get_driver.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/grpc_status.h"

namespace radix::pastiche {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;

}  // namespace

GetStream* GetStream::Create(grpc::CallbackServerContext* context, const v1::GetRequest& request,
                             const Store& store, Pulls& pulls, Transfers& transfers,
                             Workers& workers) {
  std::shared_ptr<GetStream> stream(new GetStream(store, pulls, workers));
  stream->self_ = stream;
  absl::Status refusal = stream->Check(request);
  if (refusal.ok()) {
    auto transfer = transfers.Begin([context, weak = std::weak_ptr(stream)] {
      if (const auto stalled = weak.lock()) context->TryCancel();
    });
    refusal = transfer.status();
    if (transfer.ok()) stream->transfer_ = *std::move(transfer);
  }
  if (refusal.ok()) {
    workers.Post([raw = stream.get()] { raw->Open(); });
  } else {
    stream->End(refusal);
  }
  return stream.get();
}

absl::Status GetStream::Check(const v1::GetRequest& request) {
  const auto checksum = Checksum::Parse(request.checksum());
  if (!checksum.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("checksum: ", checksum.status().message()));
  }
  if (request.offset_bytes() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("offset_bytes: ", request.offset_bytes(), " is less than 0"));
  }
  checksum_ = *checksum;
  offset_ = request.offset_bytes();
  may_pull_ = !request.local_only();
  return absl::OkStatus();
}

void GetStream::Open() {
  auto file = store_.OpenFile(checksum_);
  if (absl::IsNotFound(file.status()) && std::exchange(may_pull_, false)) return Pull();
  if (!file.ok()) return End(file.status());
  file_ = *std::move(file);
  if (offset_ > file_->size_bytes()) {
    return End(absl::InvalidArgumentError(absl::StrCat(
        "offset_bytes: ", offset_, " is behind the end of the file at ", file_->size_bytes())));
  }
  if (absl::Status skipped = file_->Skip(offset_); !skipped.ok()) return End(skipped);
  response_.set_size_bytes(file_->size_bytes());
  SendNext();
}

void GetStream::Pull() {
  bool over = false;
  {
    const std::lock_guard lock(mutex_);
    over = cancelled_;
    pulling_ = !over;
  }
  if (over) return End(absl::CancelledError("the caller went away"));
  // The pull may outlast this call, which a cancellation ends.
  pulls_.Request(checksum_, [self = self_](const absl::StatusOr<Pulled>& end) {
    {
      const std::lock_guard lock(self->mutex_);
      if (!std::exchange(self->pulling_, false)) return;
    }
    if (!end.ok()) return self->End(end.status());
    self->workers_.Post([raw = self.get()] { raw->Open(); });
  });
}

void GetStream::OnCancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    // Otherwise the write or the task that goes on will find out.
    if (!std::exchange(pulling_, false)) return;
  }
  End(absl::CancelledError("the caller went away"));
}

void GetStream::OnDone() {
  transfer_.reset();  // a pull may keep the rest of this alive for long
  self_.reset();
}

void GetStream::SendNext() {
  auto data = file_->Read(kChunkBytes);
  if (!data.ok()) return End(data.status());
  response_.set_data(*std::move(data));
  transfer_->BeginWait();
  StartWrite(&response_);
}

void GetStream::OnWriteDone(bool ok) {
  transfer_->EndWait();
  if (!ok) return End(absl::CancelledError("the caller went away"));
  response_.clear_size_bytes();
  if (file_->at_end()) return End(absl::OkStatus());
  workers_.Post([this] { SendNext(); });
}

void GetStream::End(const absl::Status& status) {
  if (absl::IsDataLoss(status)) spdlog::error("{}", std::string(status.message()));
  Finish(confab::ToGrpc(status));
}

}  // namespace radix::pastiche
