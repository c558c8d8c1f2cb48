// What TLS and the check of keys cost a call: the same server and the same client, with an identity
// and without, in turns. Prints one JSON object, an array of rounds for each figure.
//
//   trust_bench ROUNDS

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "clients/cpp/attested_identity.h"
#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/fingerprint.h"
#include "services/confab/node_key.h"
#include "services/confab/serve.h"
#include "services/trust/trust_service.h"

namespace radix {
namespace {

constexpr int kOutstanding = 64;
constexpr Duration kRound = 1s;
constexpr char kFlock[] = "bench";

class Beasts final : public galumph::v2::Galumph::CallbackService {
  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const galumph::v2::RegisterRequest*,
                                     galumph::v2::RegisterResponse*) override {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// Calls again and again, so many at a time.
class Load {
 public:
  explicit Load(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(galumph::v2::Galumph::NewStub(channel)) {}

  // How long each call took, in microseconds.
  std::vector<double> Run(int outstanding, Duration length) {
    end_ = confab::Now() + length;
    running_ = outstanding;
    for (int i = 0; i < outstanding; ++i) CallOnce();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return running_ == 0; });
    return std::move(took_us_);
  }

 private:
  struct Call {
    grpc::ClientContext context;
    galumph::v2::RegisterRequest request;
    galumph::v2::RegisterResponse response;
    Instant begin;
  };

  void CallOnce() {
    auto call = std::make_shared<Call>();
    call->begin = confab::Now();
    call->context.set_deadline(confab::WallDeadline(10s));
    stub_->async()->Register(&call->context, &call->request, &call->response,
                             [this, call](const grpc::Status& status) { Took(*call, status); });
  }
  void Took(const Call& call, const grpc::Status& status) {
    if (!status.ok()) {
      std::fprintf(stderr, "a call failed: %s\n", status.error_message().c_str());
      std::_Exit(1);
    }
    const Instant now = confab::Now();
    {
      const std::lock_guard lock(mutex_);
      took_us_.push_back(static_cast<double>((now - call.begin) / 1ns) / 1e3);
      if (now >= end_) {
        if (--running_ == 0) changed_.notify_all();
        return;
      }
    }
    CallOnce();
  }

  const std::unique_ptr<galumph::v2::Galumph::Stub> stub_;
  Instant end_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int running_ = 0;
  std::vector<double> took_us_;
};

// A server as any service of a node has it, and a channel to it.
struct Pair {
  Pair(const confab::Node& serving, const confab::Node& calling)
      : server(*confab::Server::Start(serving, {.port = 0, .horde = "radix", .api = "steward1"},
                                      {confab::Hosted(beasts)})),
        channel(*confab::Dial(calling, server->net_id(), "steward")) {
    if (!channel->WaitForConnected(confab::WallDeadline(20s))) {
      std::fprintf(stderr, "no connection\n");
      std::_Exit(1);
    }
  }
  ~Pair() { server->Shutdown(1s); }

  Beasts beasts;
  std::unique_ptr<confab::Server> server;
  std::shared_ptr<grpc::Channel> channel;
};

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

int Run(int rounds) {
  std::string folder = std::filesystem::temp_directory_path() / "radix-trust-bench-XXXXXX";
  const confab::Node node{.name = "n1",
                          .address = *IpAddress::Parse("127.0.0.1"),
                          .state = mkdtemp(folder.data()),
                          .flock_id = kFlock};
  trust::TrustServiceImpl trust;
  const auto seed = confab::LoadOrMakeNodeKey(node.state);
  const auto word = confab::Attest(*seed, kFlock, "x", KeyId{});
  trust.SetRevoked({});
  trust.SetNodes(
      {{node.address, FingerprintOf(confab::ReadAttestation(word, kFlock, KeyId{})->node)}});
  const auto reeve = *confab::Server::Start(node, {.socket = "reeve"}, {confab::Hosted(trust)});

  nlohmann::json result;
  {
    const confab::Node steward = AttestedNetwork(node, "steward")->node;
    const confab::Node caller = AttestedNetwork(node, "reeve")->node;
    const Pair plain(node, node);
    const Pair secured(steward, caller);
    for (int round = 0; round < rounds; ++round) {
      for (const auto& [name, pair] : {std::pair("plain", &plain), {"tls", &secured}}) {
        const auto many = Load(pair->channel).Run(kOutstanding, kRound);
        result[std::string(name) + "_rate"].push_back(many.size());
        result[std::string(name) + "_p50_us"].push_back(Median(Load(pair->channel).Run(1, kRound)));
      }
    }
  }
  trust.EndStreams();
  reeve->Shutdown(1s);
  std::filesystem::remove_all(node.state);
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace radix

int main(int argc, char** argv) { return radix::Run(argc > 1 ? std::atoi(argv[1]) : 5); }
