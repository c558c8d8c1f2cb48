// A server as a service of a node has it, and an honest client of it, for hostile peers to come
// between.
//
//   hostile_target serve FOLDER [unguarded]
//     Prints where; serves until its input ends. The keys that it lets in are FOLDER/listed-N.pem;
//     FOLDER/unlisted.pem is another. Unguarded: with no budget for anybody, to see what it is for.
//   hostile_target load FOLDER NET_ID [anew]
//     Calls until its input ends, and prints each 100 ms how many calls ended well, and how many
//     not. Anew: 20 times a second, over another connection each time.

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/strings/str_cat.h"
#include "clients/cpp/attested_identity.h"
#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/certificate.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/fingerprint.h"
#include "services/confab/log.h"
#include "services/confab/node_key.h"
#include "services/confab/serve.h"
#include "services/trust/trust_service.h"

namespace radix {
namespace {

constexpr char kFlock[] = "hostile";
constexpr int kKeys = 64;
constexpr int kOutstanding = 16;
constexpr int kNewcomers = 4;
constexpr Duration kAnewEvery = 200ms;  // each of them

confab::Node NodeIn(const std::string& folder) {
  return {
      .name = "n1", .address = *IpAddress::Parse("127.0.0.1"), .state = folder, .flock_id = kFlock};
}

class Beasts final : public galumph::v2::Galumph::CallbackService {
  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const galumph::v2::RegisterRequest*,
                                     galumph::v2::RegisterResponse*) override {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

void AwaitEndOfInput() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
}

void Write(const std::string& path, const confab::TlsKey& key) {
  std::ofstream(path) << key.private_pem() << key.certificate_pem();
}

int Serve(const std::string& folder, const confab::PeerBudgetOptions& budget) {
  confab::StartLog("target");
  const confab::Node node = NodeIn(folder);
  const auto seed = confab::LoadOrMakeNodeKey(node.state);
  for (int i = 0; i < kKeys; ++i) {
    const auto attest = [&](const KeyId& id) { return confab::Attest(*seed, kFlock, "reeve", id); };
    Write(absl::StrCat(folder, "/listed-", i, ".pem"), *confab::TlsKey::Make(attest));
  }
  Write(folder + "/unlisted.pem", *confab::TlsKey::Make());
  trust::TrustServiceImpl trust;
  const auto word = confab::Attest(*seed, kFlock, "x", KeyId{});
  trust.SetRevoked({});
  trust.SetNodes(
      {{node.address, FingerprintOf(confab::ReadAttestation(word, kFlock, KeyId{})->node)}});
  const auto reeve = *confab::Server::Start(node, {.socket = "reeve"}, {confab::Hosted(trust)});
  Beasts beasts;
  const confab::Node steward = AttestedNetwork(node, "steward")->node;
  const auto server = *confab::Server::Start(
      steward, {.port = 0, .horde = "radix", .api = "steward1", .budget = budget},
      {confab::Hosted(beasts)});
  std::printf("%s\n", server->net_id().c_str());
  std::fflush(stdout);
  AwaitEndOfInput();
  std::_Exit(0);  // calls that never end are part of what is tried here
}

struct Counts {
  std::atomic<long> well = 0;
  std::atomic<long> failed = 0;
};

void CallAgain(galumph::v2::Galumph::Stub& stub, Counts& counts) {
  struct Call {
    grpc::ClientContext context;
    galumph::v2::RegisterRequest request;
    galumph::v2::RegisterResponse response;
  };
  auto call = std::make_shared<Call>();
  call->context.set_deadline(confab::WallDeadline(60s));
  stub.async()->Register(&call->context, &call->request, &call->response,
                         [&stub, &counts, call](const grpc::Status& status) {
                           ++(status.ok() ? counts.well : counts.failed);
                           if (!status.ok()) {
                             std::fprintf(stderr, "%s\n", status.error_message().c_str());
                           }
                           CallAgain(stub, counts);
                         });
}

// As one that comes for the first time: with no connection, and a new key.
void CallAnew(const confab::Node& caller, const std::string& net_id, Counts& counts) {
  const auto channel = *confab::Dial(caller, net_id, "steward");
  grpc::ClientContext context;
  context.set_deadline(confab::WallDeadline(5s));
  galumph::v2::RegisterResponse response;
  const grpc::Status status =
      galumph::v2::Galumph::NewStub(channel)->Register(&context, {}, &response);
  ++(status.ok() ? counts.well : counts.failed);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.error_message().c_str());
}

int Load(const std::string& folder, const std::string& net_id, bool anew) {
  const confab::Node caller = AttestedNetwork(NodeIn(folder), "reeve")->node;
  const auto channel = *confab::Dial(caller, net_id, "steward");
  if (!channel->WaitForConnected(confab::WallDeadline(20s))) return 1;
  const auto stub = galumph::v2::Galumph::NewStub(channel);
  Counts counts;
  for (int i = 0; i < kOutstanding && !anew; ++i) CallAgain(*stub, counts);
  for (int i = 0; i < kNewcomers && anew; ++i) {
    std::thread([&, next = confab::Now()]() mutable {
      for (;; next += kAnewEvery) {
        std::this_thread::sleep_until(next);
        CallAnew(caller, net_id, counts);
      }
    }).detach();
  }
  std::thread([&counts] {
    for (Instant next = confab::Now();;) {
      next += 100ms;
      std::this_thread::sleep_until(next);
      std::printf("%ld %ld\n", counts.well.load(), counts.failed.load());
      std::fflush(stdout);
    }
  }).detach();
  AwaitEndOfInput();
  std::_Exit(0);
}

}  // namespace
}  // namespace radix

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "serve" && argc == 3) return radix::Serve(argv[2], {});
  if (verb == "serve" && argc == 4 && std::string_view(argv[3]) == "unguarded") {
    return radix::Serve(argv[2], {.key = {}, .host = {}, .all = {}, .crowds_make_room = false});
  }
  const bool anew = argc == 5 && std::string_view(argv[4]) == "anew";
  if (verb == "load" && (argc == 4 || anew)) return radix::Load(argv[2], argv[3], anew);
  std::fputs("usage: hostile_target serve FOLDER [unguarded] | load FOLDER NET_ID [anew]\n",
             stderr);
  return 2;
}
