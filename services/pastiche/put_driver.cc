#include "services/pastiche/put_driver.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/grpc_status.h"

namespace radix::pastiche {

PutStream* PutStream::Create(grpc::CallbackServerContext* context, v1::PutResponse* response,
                             const Store& store, Transfers& transfers, Workers& workers) {
  std::shared_ptr<PutStream> stream(new PutStream(context, response, store, workers));
  stream->self_ = stream;
  auto transfer = transfers.Begin([weak = std::weak_ptr(stream)] {
    if (const auto stalled = weak.lock()) stalled->context_->TryCancel();
  });
  if (transfer.ok()) {
    stream->transfer_ = *std::move(transfer);
    stream->Read();
  } else {
    stream->Finish(confab::ToGrpc(transfer.status()));
  }
  return stream.get();
}

void PutStream::Read() {
  transfer_->BeginWait();
  StartRead(&request_);
}

void PutStream::OnReadDone(bool ok) {
  transfer_->EndWait();
  workers_.Post([this, ok] {
    const absl::Status status = ok ? TakeIn() : Commit();
    if (ok && status.ok()) return Read();
    incoming_.reset();
    Finish(confab::ToGrpc(status));
  });
}

absl::Status PutStream::TakeIn() {
  if (request_.data().size() > kPutChunkMax) {
    return absl::InvalidArgumentError(absl::StrCat("data: ", request_.data().size(),
                                                   " bytes in one message, at most ", kPutChunkMax,
                                                   " are taken"));
  }
  if (incoming_ != nullptr) {
    if (request_.checksum().empty()) return incoming_->Append(request_.data());
    return absl::InvalidArgumentError("checksum: may be set in the first message only");
  }
  std::optional<Checksum> expected;
  if (!request_.checksum().empty()) {
    const auto checksum = Checksum::Parse(request_.checksum());
    if (!checksum.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("checksum: ", checksum.status().message()));
    }
    expected = *checksum;
  }
  auto incoming = store_.Begin(expected);
  if (!incoming.ok()) return incoming.status();
  incoming_ = *std::move(incoming);
  return incoming_->Append(request_.data());
}

absl::Status PutStream::Commit() {
  if (incoming_ == nullptr) {
    return absl::InvalidArgumentError("the stream ended before its first message");
  }
  // A caller that went away in the middle ends the stream, too.
  if (context_->IsCancelled()) return absl::CancelledError("the caller went away");
  const auto file = incoming_->Commit();
  if (!file.ok()) return file.status();
  response_->set_checksum(file->checksum.ToString());
  response_->set_size_bytes(file->size_bytes);
  return absl::OkStatus();
}

}  // namespace radix::pastiche
