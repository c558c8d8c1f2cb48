// Galumph: counts beasts. A whole Radix service; copy it to begin your own.

#include <map>
#include <mutex>
#include <string>

#include "clients/cpp/serve.h"
#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/log.h"

namespace {

class GalumphService final : public galumph::v2::Galumph::CallbackService {
 public:
  GalumphService(std::string inst, std::string node)
      : inst_(std::move(inst)), node_(std::move(node)) {}

 private:
  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const galumph::v2::RegisterRequest* request,
                                     galumph::v2::RegisterResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const std::string& beast = request->beast();
    if (beast.empty() || beast.size() > 63) {
      reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "beast: must have 1 to 63 bytes"});
      return reactor;
    }
    const std::lock_guard lock(mutex_);
    if (counts_.size() >= kKindsMax && !counts_.contains(beast)) {
      reactor->Finish(
          {grpc::StatusCode::RESOURCE_EXHAUSTED, "beast: 1000 kinds are counted already"});
      return reactor;
    }
    response->set_count(++counts_[beast]);
    response->set_inst(inst_);
    response->set_node(node_);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  static constexpr std::size_t kKindsMax = 1000;  // whoever calls must not fill the memory

  const std::string inst_;
  const std::string node_;
  std::mutex mutex_;
  std::map<std::string, std::int64_t> counts_;
};

}  // namespace

int main() {
  radix::confab::StartLog(GALUMPH_INST);
  const auto network = radix::Network::FromEnvironment();
  if (!network.ok()) return radix::confab::Fail(network.status(), 2);
  GalumphService service(GALUMPH_INST, network->node.name);
  auto serving = radix::Serve(*network, {.api = "galumph2", .inst = GALUMPH_INST}, service);
  if (!serving.ok()) return radix::confab::Fail(serving.status(), 1);
  return (*serving)->Wait();  // until SIGTERM, and then drained
}
