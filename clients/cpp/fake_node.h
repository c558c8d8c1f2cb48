// For tests: a node whose heartbeater and reeve are one table, without a flock behind them.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/call.h"
#include "clients/cpp/network.h"
#include "clients/cpp/registered_identity.h"
#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/dial.h"
#include "services/confab/serve.h"
#include "services/confab/server_stream.h"
#include "services/trust/pairing_service.h"
#include "services/trust/rules.h"
#include "tests/wait.h"

namespace radix {

// Serves STATE/heartbeater.sock and STATE/reeve.sock of a state folder of its own: what beats is
// what is watched. Thread-safe, but for what starts and
// stops.
class FakeNode {
 public:
  FakeNode() {
    std::string folder = testing::TempDir() + "/nodeXXXXXX";
    if (mkdtemp(folder.data()) == nullptr) std::abort();
    state_ = folder;
    caller_ = network("caller");
    StartHeartbeater();
    StartReeve();
  }
  ~FakeNode() {
    StopReeve();
    StopHeartbeater();
    std::filesystem::remove_all(state_);
  }

  // As an application on it sees it; by rules it is default/`service`.
  Network network(const std::string& service = "test") const {
    Network network = plaintext();
    network.node.identity = MakeRegisteredIdentity(network.node, {"default", service});
    return network;
  }
  // The same without keys.
  Network plaintext() const { return Network{confab::Node{"n1", Ip(), state_, {}, "lab"}}; }
  const std::filesystem::path& state() const { return state_; }

  void StartHeartbeater() { heartbeater_server_ = Start("heartbeater", heartbeater_); }
  void StopHeartbeater() { heartbeater_server_.reset(); }
  void StartReeve() {
    pairing_ = std::make_unique<trust::PairingServiceImpl>(plaintext().node, std::uint16_t{1}, 1);
    SetRules("call */* */*\nserve */* */*\n");
    reeve_server_ = Start("reeve", reeve_, pairing_.get());
  }
  void StopReeve() {
    if (pairing_ != nullptr) pairing_->EndStreams();
    reeve_server_.reset();
    pairing_.reset();
  }

  // A channel to the galumph2 there, by one that it lets in.
  std::shared_ptr<grpc::Channel> DialGalumph(const std::string& net_id) const {
    using Dialled = absl::StatusOr<std::shared_ptr<grpc::Channel>>;
    const auto dialled = std::make_shared<std::promise<Dialled>>();
    confab::DialIntroduced(
        caller_.node,
        {.endpoint = *Endpoint::Parse(net_id), .horde = "default", .api = "galumph2", .inst = ""},
        {}, [dialled](Dialled channel) { dialled->set_value(std::move(channel)); });
    Dialled channel = Await(dialled->get_future(), "an introduction");
    EXPECT_TRUE(channel.ok()) << channel.status();
    return channel.ok() ? *channel : confab::DialNowhere(grpc::Status::CANCELLED);
  }

  // The keys with which its processes call, and those that it serves by.
  trust::v1::ListKeysResponse Keys() const {
    const auto stub =
        trust::v1::PairingService::NewStub(confab::DialLocal(plaintext().node, "reeve"));
    trust::v1::ListKeysResponse keys;
    const auto status =
        Call(*stub->async(), &trust::v1::PairingService::Stub::async::ListKeys, {}, keys);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return keys;
  }
  // Has all take other keys.
  void RollKeys() {
    const auto stub =
        trust::v1::PairingService::NewStub(confab::DialLocal(plaintext().node, "reeve"));
    trust::v1::RollKeysResponse told;
    const auto status =
        Call(*stub->async(), &trust::v1::PairingService::Stub::async::RollKeys, {}, told);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  // Of its operators.
  void SetRules(const std::string& text) {
    auto rules = trust::Rules::Parse(text);
    ASSERT_TRUE(rules.ok()) << rules.status();
    pairing_->SetRules(std::make_shared<const trust::Rules>(*std::move(rules)));
  }
  void SetRevoked(const trust::Revoked& revoked) { pairing_->SetRevoked(revoked); }

  // Tells watchers of an instance by hand.
  void Put(const std::string& inst, const std::string& net_id,
           registry::v1::Status status = registry::v1::STATUS_SERVING) {
    registry::v1::Instance instance;
    instance.set_horde("default");
    instance.set_api(inst.substr(0, inst.find('_')));
    instance.set_inst(inst);
    instance.set_node("n1");
    instance.set_net_id(net_id);
    instance.set_status(status);
    Apply(instance);
  }

  // The status of each inst that beats or was Put.
  std::map<std::string, registry::v1::Status> statuses() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, registry::v1::Status> statuses;
    for (const auto& [net_id, instance] : table_) statuses[instance.inst()] = instance.status();
    return statuses;
  }

  // The last beat of all; none of its fields are set before the first.
  heartbeater::v1::BeatRequest last_beat() const {
    const std::lock_guard lock(mutex_);
    return last_beat_;
  }

  // How often a watch was begun.
  int watches() const {
    const std::lock_guard lock(mutex_);
    return watches_;
  }

 private:
  using BeatStream =
      confab::ServerBidi<heartbeater::v1::BeatRequest, heartbeater::v1::BeatResponse>;
  using WatchStream = confab::ServerStream<reeve::v1::WatchResponse>;

  struct Heartbeater final : heartbeater::v1::HeartbeaterService::CallbackService {
    explicit Heartbeater(FakeNode* node) : node_(node) {}
    grpc::ServerBidiReactor<heartbeater::v1::BeatRequest, heartbeater::v1::BeatResponse>* Beat(
        grpc::CallbackServerContext*) override {
      auto last = std::make_shared<registry::v1::Instance>();
      auto stream = BeatStream::Create(4);
      stream->Begin({.on_message =
                         [this, last](const heartbeater::v1::BeatRequest& beat) {
                           last->set_horde(beat.horde());
                           last->set_api(beat.api());
                           last->set_inst(beat.inst());
                           last->set_node("n1");
                           last->set_net_id(beat.net_id());
                           last->set_status(beat.status());
                           node_->Apply(*last, &beat);
                         },
                     .on_half_close = nullptr,
                     .on_done =
                         [this, last] {
                           last->set_status(registry::v1::STATUS_DEAD);
                           node_->Apply(*last);
                         }});
      return stream.get();
    }
    FakeNode* node_;
  };

  struct Reeve final : reeve::v1::ReeveService::CallbackService {
    explicit Reeve(FakeNode* node) : node_(node) {}
    grpc::ServerWriteReactor<reeve::v1::WatchResponse>* Watch(
        grpc::CallbackServerContext*, const reeve::v1::WatchRequest* request) override {
      auto stream = WatchStream::Create(64);
      stream->Begin([this, key = stream.get()] {
        const std::lock_guard lock(node_->mutex_);
        node_->watchers_.erase(key);
      });
      const std::lock_guard lock(node_->mutex_);
      ++node_->watches_;
      node_->watchers_[stream.get()] = {stream, request->selector()};
      reeve::v1::WatchResponse response;
      response.mutable_delta()->set_snapshot(true);
      response.mutable_delta()->set_origin("fake");
      for (const auto& [net_id, each] : node_->table_) {
        if (!Matches(request->selector(), each)) continue;
        *response.mutable_delta()->add_changes()->mutable_instance() = each;
      }
      stream->Send(std::move(response));
      return stream.get();
    }
    FakeNode* node_;
  };

  struct Watcher {
    std::shared_ptr<WatchStream> stream;
    registry::v1::Selector selector;
  };

  static IpAddress Ip() { return *IpAddress::Parse("127.0.0.1"); }

  static bool Matches(const registry::v1::Selector& selector,
                      const registry::v1::Instance& instance) {
    return selector.horde() == instance.horde() &&
           (selector.api().empty() || selector.api() == instance.api()) &&
           (selector.inst().empty() || selector.inst() == instance.inst());
  }

  template <typename Service>
  std::unique_ptr<confab::Server> Start(const std::string& socket, Service& service,
                                        grpc::Service* beside = nullptr) {
    std::vector<confab::HostedService> services = {confab::Hosted(service)};
    if (beside != nullptr) services.push_back(confab::Hosted(*beside));
    auto server =
        confab::Server::Start(plaintext().node, {.socket = socket, .port = std::nullopt}, services);
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }

  void Apply(const registry::v1::Instance& instance,
             const heartbeater::v1::BeatRequest* beat = nullptr) {
    const std::lock_guard lock(mutex_);
    if (beat != nullptr) last_beat_ = *beat;
    const auto known = table_.find(instance.net_id());
    const bool dead = instance.status() == registry::v1::STATUS_DEAD;
    if (known == table_.end() ? dead
                              : known->second.SerializeAsString() == instance.SerializeAsString()) {
      return;
    }
    if (dead) {
      table_.erase(known);
    } else {
      table_[instance.net_id()] = instance;
    }
    for (const auto& [key, watcher] : watchers_) {
      if (!Matches(watcher.selector, instance)) continue;
      reeve::v1::WatchResponse response;
      response.mutable_delta()->set_origin("fake");
      *response.mutable_delta()->add_changes()->mutable_instance() = instance;
      watcher.stream->Send(std::move(response));
    }
  }

  std::filesystem::path state_;
  Network caller_;  // who DialGalumph is
  mutable std::mutex mutex_;
  std::map<std::string, registry::v1::Instance> table_;  // by net_id
  std::map<WatchStream*, Watcher> watchers_;
  heartbeater::v1::BeatRequest last_beat_;
  int watches_ = 0;
  Heartbeater heartbeater_{this};
  Reeve reeve_{this};
  std::unique_ptr<trust::PairingServiceImpl> pairing_;
  std::unique_ptr<confab::Server> heartbeater_server_;
  std::unique_ptr<confab::Server> reeve_server_;
};

}  // namespace radix
