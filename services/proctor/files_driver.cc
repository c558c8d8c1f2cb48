#include "services/proctor/files_driver.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "radix/pastiche/v1/pastiche.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/grpc_status.h"

namespace radix::proctor {
namespace {

// One run through the list; keeps itself alive through the call that is under way.
struct Pull : std::enable_shared_from_this<Pull> {
  std::unique_ptr<pastiche::v1::PasticheService::Stub> stub;
  std::set<std::string> left;
  std::chrono::system_clock::time_point deadline;
  std::function<void(absl::Status)> done;
  std::unique_ptr<grpc::ClientContext> context;
  pastiche::v1::PullRequest request;
  pastiche::v1::PullResponse response;

  void Next() {
    if (left.empty()) return std::exchange(done, nullptr)(absl::OkStatus());
    request.set_checksum(*left.begin());
    context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(deadline);
    stub->async()->Pull(context.get(), &request, &response,
                        [self = shared_from_this()](const grpc::Status& status) {
                          self->Take(confab::FromGrpc(status));
                        });
  }

  void Take(const absl::Status& status) {
    if (!status.ok()) {
      std::string said(status.message());
      if (said.find(request.checksum()) == std::string::npos) {
        said = absl::StrCat(request.checksum(), ": ", said);
      }
      return std::exchange(done, nullptr)(absl::Status(status.code(), said));
    }
    left.erase(left.begin());
    Next();
  }
};

}  // namespace

void PullFiles(const confab::Node& node, const std::set<std::string>& checksums, Duration limit,
               std::function<void(absl::Status)> done) {
  auto pull = std::make_shared<Pull>();
  pull->left = checksums;
  pull->done = std::move(done);
  if (!checksums.empty()) {
    pull->stub = pastiche::v1::PasticheService::NewStub(confab::DialLocal(node, "pastiche"));
    pull->deadline = confab::WallDeadline(limit);
  }
  pull->Next();
}

}  // namespace radix::proctor
