// A node whose flock, picket, heartbeater, reeve and pastiche are fakes on its Unix sockets, so
// that the real proctor and dean can be run against them.

#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "radix/flock/v1/flock.grpc.pb.h"
#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "radix/pastiche/v1/pastiche.grpc.pb.h"
#include "radix/picket/v1/picket.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/serve.h"
#include "services/confab/server_stream.h"

namespace radix::proctor {

// Sends the latest message to whoever watches.
template <typename Response>
class Broadcast {
 public:
  using Stream = confab::ServerStream<Response>;

  grpc::ServerWriteReactor<Response>* Add() {
    auto stream = Stream::Create(64);
    const std::lock_guard lock(mutex_);
    streams_.push_back(stream);
    stream->Begin([] {});
    if (latest_) stream->SendLatest(*latest_);
    return stream.get();
  }

  void Send(Response message) {
    const std::lock_guard lock(mutex_);
    latest_ = std::move(message);
    for (const auto& weak : streams_) {
      if (const auto stream = weak.lock()) stream->SendLatest(*latest_);
    }
  }

  void EndAll() {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : streams_) {
      if (const auto stream = weak.lock()) stream->End(grpc::Status::CANCELLED);
    }
    streams_.clear();
  }

 private:
  std::mutex mutex_;
  std::optional<Response> latest_;
  std::vector<std::weak_ptr<Stream>> streams_;
};

struct FakeFlock final : flock::v1::FlockService::CallbackService {
  Broadcast<flock::v1::WatchGroupResponse> group;
  grpc::ServerWriteReactor<flock::v1::WatchGroupResponse>* WatchGroup(
      grpc::CallbackServerContext*, const flock::v1::WatchGroupRequest*) override {
    return group.Add();
  }
};

struct FakeHeartbeater final : heartbeater::v1::HeartbeaterService::CallbackService {
  Broadcast<heartbeater::v1::WatchResponse> table;
  grpc::ServerWriteReactor<heartbeater::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext*, const heartbeater::v1::WatchRequest*) override {
    return table.Add();
  }
};

struct FakeReeve final : reeve::v1::ReeveService::CallbackService {
  Broadcast<reeve::v1::WatchResponse> proctors;
  grpc::ServerWriteReactor<reeve::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext*, const reeve::v1::WatchRequest*) override {
    return proctors.Add();
  }
};

struct FakePastiche final : pastiche::v1::PasticheService::CallbackService {
  std::mutex mutex;
  std::set<std::string> files;   // those that can be had
  std::set<std::string> pulled;  // those that were asked for and had
  std::set<std::string> missed;  // those that were asked for in vain
  grpc::ServerUnaryReactor* Pull(grpc::CallbackServerContext* context,
                                 const pastiche::v1::PullRequest* request,
                                 pastiche::v1::PullResponse*) override {
    auto* reactor = context->DefaultReactor();
    const std::lock_guard lock(mutex);
    if (request->checksum() == held_) {
      held_calls_.push_back(reactor);
      return reactor;
    }
    const bool had = files.count(request->checksum()) != 0;
    (had ? pulled : missed).insert(request->checksum());
    reactor->Finish(had ? grpc::Status::OK
                        : grpc::Status(grpc::StatusCode::NOT_FOUND, "no reachable peer has it"));
    return reactor;
  }

  // Answers nobody who asks for `checksum`, until Release.
  void Hold(const std::string& checksum) {
    const std::lock_guard lock(mutex);
    held_ = checksum;
  }

  std::size_t held_count() {
    const std::lock_guard lock(mutex);
    return held_calls_.size();
  }

  void Release() {
    const std::lock_guard lock(mutex);
    held_.clear();
    for (grpc::ServerUnaryReactor* call : held_calls_) call->Finish(grpc::Status::OK);
    held_calls_.clear();
  }

 private:
  std::string held_;
  std::vector<grpc::ServerUnaryReactor*> held_calls_;
};

// Runs plugins in name only: what is started serves at once, unless its inst is in `silent`.
struct FakePicket final : picket::v1::PicketService::CallbackService {
  std::mutex mutex;
  std::map<std::string, picket::v1::Plugin> plugins;
  std::set<std::string> silent;
  std::vector<std::string> orders;  // "start INST" and "stop INST", in order
  std::int64_t epoch = 0;
  Broadcast<picket::v1::WatchPluginsResponse> list;
  FakeHeartbeater* heartbeater = nullptr;

  grpc::ServerUnaryReactor* Start(grpc::CallbackServerContext* context,
                                  const picket::v1::StartRequest* request,
                                  picket::v1::StartResponse* response) override {
    auto* reactor = context->DefaultReactor();
    const std::lock_guard lock(mutex);
    if (Refused(request->epoch())) {
      reactor->Finish({grpc::StatusCode::FAILED_PRECONDITION, "a lesser epoch"});
      return reactor;
    }
    orders.push_back("start " + request->spec().inst());
    picket::v1::Plugin& plugin = plugins[request->spec().id()];
    *plugin.mutable_spec() = request->spec();
    plugin.set_state(picket::v1::PLUGIN_STATE_RUNNING);
    *response->mutable_plugin() = plugin;
    Tell();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* Stop(grpc::CallbackServerContext* context,
                                 const picket::v1::StopRequest* request,
                                 picket::v1::StopResponse*) override {
    auto* reactor = context->DefaultReactor();
    const std::lock_guard lock(mutex);
    if (Refused(request->epoch())) {
      reactor->Finish({grpc::StatusCode::FAILED_PRECONDITION, "a lesser epoch"});
      return reactor;
    }
    if (plugins.count(request->id()) != 0) {
      orders.push_back("stop " + plugins[request->id()].spec().inst());
      plugins.erase(request->id());
    }
    Tell();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<picket::v1::WatchPluginsResponse>* WatchPlugins(
      grpc::CallbackServerContext*, const picket::v1::WatchPluginsRequest*) override {
    return list.Add();
  }

  bool Refused(std::int64_t of) {
    if (of != 0 && of < epoch) return true;
    epoch = std::max(epoch, of);
    return false;
  }

  // Requires the lock.
  void Tell() {
    picket::v1::WatchPluginsResponse all;
    heartbeater::v1::WatchResponse table;
    table.mutable_delta()->set_snapshot(true);
    for (const auto& [id, plugin] : plugins) {
      *all.add_plugins() = plugin;
      if (silent.count(plugin.spec().inst()) != 0) continue;
      auto& instance = *table.mutable_delta()->add_changes()->mutable_instance();
      instance.set_horde(plugin.spec().horde());
      instance.set_api(plugin.spec().api());
      instance.set_inst(plugin.spec().inst());
      instance.set_net_id(id);
      instance.set_status(registry::v1::STATUS_SERVING);
    }
    list.Send(std::move(all));
    heartbeater->table.Send(std::move(table));
  }

  // How many plugins of `inst` run.
  int CountOf(const std::string& inst) {
    const std::lock_guard lock(mutex);
    int count = 0;
    for (const auto& [id, plugin] : plugins) count += plugin.spec().inst() == inst ? 1 : 0;
    return count;
  }
};

// The fakes of one node, served.
class FakeNode {
 public:
  explicit FakeNode(confab::Node node) : node_(std::move(node)) {
    picket.heartbeater = &heartbeater;
    {
      const std::lock_guard lock(picket.mutex);
      picket.Tell();
    }
    Serve("flock", flock);
    Serve("picket", picket);
    Serve("heartbeater", heartbeater);
    Serve("reeve", reeve);
    Serve("pastiche", pastiche);
  }
  ~FakeNode() {
    pastiche.Release();
    flock.group.EndAll();
    picket.list.EndAll();
    heartbeater.table.EndAll();
    reeve.proctors.EndAll();
  }

  FakeFlock flock;
  FakePicket picket;
  FakeHeartbeater heartbeater;
  FakeReeve reeve;
  FakePastiche pastiche;

  const confab::Node& node() const { return node_; }
  std::string address() const { return node_.address.ToString(); }

 private:
  template <typename Fake>
  void Serve(const std::string& name, Fake& fake) {
    auto server = confab::Server::Start(node_, {.socket = name}, {{&fake, name}});
    if (!server.ok()) {
      std::abort();
    }
    servers_.push_back(*std::move(server));
  }

  const confab::Node node_;
  std::vector<std::unique_ptr<confab::Server>> servers_;
};

}  // namespace radix::proctor
