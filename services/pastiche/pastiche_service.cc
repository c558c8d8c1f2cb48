#include "services/pastiche/pastiche_service.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/caller.h"
#include "services/confab/grpc_status.h"
#include "services/pastiche/get_driver.h"
#include "services/pastiche/put_driver.h"

namespace radix::pastiche {
namespace {

constexpr std::size_t kWorkerThreads = 2;
constexpr std::int32_t kPageDefault = 100;
constexpr std::int32_t kPageMax = 1000;

// A Pull that waits. A cancellation ends the call; the pull itself goes on.
class PullCall final : public grpc::ServerUnaryReactor {
 public:
  static std::shared_ptr<PullCall> Create() {
    auto call = std::make_shared<PullCall>();
    call->self_ = call;
    return call;
  }

  // Runs `fill` and finishes with its status, unless the call is over.
  template <typename Fill>
  void End(Fill fill) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    Finish(confab::ToGrpc(fill()));
  }

 private:
  void OnCancel() override {
    End([] { return absl::CancelledError("the caller went away"); });
  }
  void OnDone() override { self_.reset(); }

  std::mutex mutex_;
  bool over_ = false;
  std::shared_ptr<PullCall> self_;
};

absl::Status List(const Store& store, const v1::ListFilesRequest& request,
                  v1::ListFilesResponse& response) {
  std::optional<Checksum> after;
  if (!request.page_token().empty()) {
    const auto checksum = Checksum::Parse(request.page_token());
    if (!checksum.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("page_token: ", checksum.status().message()));
    }
    after = *checksum;
  }
  const std::int32_t asked = request.page_size() > 0 ? request.page_size() : kPageDefault;
  const auto page_size = static_cast<std::size_t>(std::min(asked, kPageMax));
  const auto files = store.List(after, page_size + 1);
  if (!files.ok()) return files.status();
  for (std::size_t i = 0; i < std::min(page_size, files->size()); ++i) {
    v1::File& file = *response.add_files();
    file.set_checksum((*files)[i].checksum.ToString());
    file.set_size_bytes((*files)[i].size_bytes);
  }
  if (files->size() > page_size) {
    response.set_next_page_token((*files)[page_size - 1].checksum.Hex());
  }
  return absl::OkStatus();
}

}  // namespace

PasticheService::PasticheService(const confab::Node& node, const Store& store,
                                 const ServiceOptions& options)
    : store_(store),
      transfers_(options.transfers),
      workers_(kWorkerThreads),
      pulls_(node, store, transfers_, options.pull) {}

grpc::ServerReadReactor<v1::PutRequest>* PasticheService::Put(grpc::CallbackServerContext* context,
                                                              v1::PutResponse* response) {
  return PutStream::Create(context, response, store_, transfers_, workers_);
}

grpc::ServerWriteReactor<v1::GetResponse>* PasticheService::Get(
    grpc::CallbackServerContext* context, const v1::GetRequest* request) {
  return GetStream::Create(context, *request, store_, pulls_, transfers_, workers_);
}

grpc::ServerUnaryReactor* PasticheService::Pull(grpc::CallbackServerContext* context,
                                                const v1::PullRequest* request,
                                                v1::PullResponse* response) {
  auto call = PullCall::Create();
  grpc::ServerUnaryReactor* const reactor = call.get();
  const auto checksum = Checksum::Parse(request->checksum());
  if (!checksum.ok()) {
    call->End([&] {
      return absl::InvalidArgumentError(absl::StrCat("checksum: ", checksum.status().message()));
    });
    return reactor;
  }
  // Paths are told only to this node's own processes.
  const bool local = confab::CameThroughUnixSocket(*context);
  std::string path = local ? store_.PathOf(*checksum) : "";
  pulls_.Request(*checksum,
                 [call, response, path = std::move(path)](const absl::StatusOr<Pulled>& end) {
                   call->End([&] {
                     if (!end.ok()) return end.status();
                     response->set_size_bytes(end->size_bytes);
                     response->set_path(path);
                     response->set_source(end->source);
                     return absl::OkStatus();
                   });
                 });
  return reactor;
}

grpc::ServerUnaryReactor* PasticheService::ListFiles(grpc::CallbackServerContext* context,
                                                     const v1::ListFilesRequest* request,
                                                     v1::ListFilesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  workers_.Post([this, reactor, request, response] {
    reactor->Finish(confab::ToGrpc(List(store_, *request, *response)));
  });
  return reactor;
}

}  // namespace radix::pastiche
