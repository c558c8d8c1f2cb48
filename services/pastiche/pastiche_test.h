// What the tests of pastiche's gRPC side stand on: whole nodes in a temporary folder, and peers
// that misbehave as told.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clients/cpp/pastiche_client.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/random.h"
#include "services/confab/serve.h"
#include "services/confab/server_stream.h"
#include "services/pastiche/pastiche_service.h"

namespace radix::pastiche {

// Waits until `condition()` holds, at most 20 s.
template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 4'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

inline std::string RandomBytes(std::uint64_t seed, std::size_t size) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "pastiche-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline confab::Node LoopbackNode(const std::string& name, const std::filesystem::path& base) {
  confab::Node node;
  node.name = name;
  node.address = *IpAddress::Parse("127.0.0.1");
  node.state = base / name;
  std::filesystem::create_directory(node.state);
  std::filesystem::permissions(node.state, std::filesystem::perms::owner_all);
  return node;
}

// Names the peers that the test gives it.
class FakeReeve final : public reeve::v1::ReeveService::CallbackService {
 public:
  void SetPeers(std::vector<Peer> peers) {
    const std::lock_guard lock(mutex_);
    peers_ = std::move(peers);
  }

  grpc::ServerUnaryReactor* Lookup(grpc::CallbackServerContext* context,
                                   const reeve::v1::LookupRequest* request,
                                   reeve::v1::LookupResponse* response) override {
    const std::lock_guard lock(mutex_);
    const bool known =
        request->selector().horde() == "radix" && request->selector().api() == "pastiche1";
    for (const Peer& peer : peers_) {
      if (!known) break;
      auto& instance = *response->add_instances();
      instance.set_node(peer.node);
      instance.set_net_id(peer.net_id);
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(response->instances().empty()
                        ? grpc::Status(grpc::StatusCode::NOT_FOUND, "no live instance")
                        : grpc::Status::OK);
    return reactor;
  }

 private:
  std::mutex mutex_;
  std::vector<Peer> peers_;
};

// One node's pastiche, and the reeve that it asks.
struct TestNode {
  TestNode(const std::string& name, const std::filesystem::path& base,
           const ServiceOptions& options = {})
      : node(LoopbackNode(name, base)) {
    store = *Store::Open(folder());
    service = std::make_unique<PasticheService>(node, *store, options);
    server = *confab::Server::Start(node, {.socket = "pastiche", .port = 0},
                                    {{service.get(), v1::PasticheService::service_full_name()}});
    reeve_server = *confab::Server::Start(node, {.socket = "reeve"},
                                          {{&reeve, reeve::v1::ReeveService::service_full_name()}});
  }

  std::string folder() const { return node.state / "pastiche"; }
  Peer peer() const { return {node.name, server->net_id()}; }
  PasticheClient client() const { return PasticheClient(Network{node}, 60s); }

  Checksum Put(const std::string& content) const {
    auto incoming = store->Begin(std::nullopt);
    EXPECT_TRUE((*incoming)->Append(content).ok());
    return (*incoming)->Commit()->checksum;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  confab::Node node;
  FakeReeve reeve;
  std::unique_ptr<Store> store;
  std::unique_ptr<PasticheService> service;
  std::unique_ptr<confab::Server> server;
  std::unique_ptr<confab::Server> reeve_server;
};

// A peer whose Get does what the test says.
class ScriptedPeer final : public v1::PasticheService::CallbackService {
 public:
  using Stream = confab::ServerStream<v1::GetResponse>;
  using Script = std::function<void(const v1::GetRequest&, const std::shared_ptr<Stream>&)>;

  ScriptedPeer(const std::string& name, const std::filesystem::path& base, Script script)
      : node_(LoopbackNode(name, base)), script_(std::move(script)) {
    server_ = *confab::Server::Start(node_, {.port = 0},
                                     {{this, v1::PasticheService::service_full_name()}});
    net_id_ = server_->net_id();
  }

  Peer peer() const { return {node_.name, net_id_}; }

  int gets() const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(streams_.size());
  }

  // Waits until a Get has come.
  bool AwaitGet() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [this] { return !streams_.empty(); });
  }
  std::shared_ptr<Stream> stream(std::size_t number) const {
    const std::lock_guard lock(mutex_);
    return streams_.at(number);
  }

  // Breaks its connections and listens no more.
  void Die() { server_.reset(); }

  static v1::GetResponse Chunk(std::string data, std::size_t size_bytes = 0) {
    v1::GetResponse chunk;
    chunk.set_data(std::move(data));
    chunk.set_size_bytes(static_cast<std::int64_t>(size_bytes));
    return chunk;
  }

 private:
  grpc::ServerWriteReactor<v1::GetResponse>* Get(grpc::CallbackServerContext* /*context*/,
                                                 const v1::GetRequest* request) override {
    auto stream = Stream::Create(1024);
    stream->Begin([] {});
    script_(*request, stream);
    const std::lock_guard lock(mutex_);
    streams_.push_back(stream);
    changed_.notify_all();
    return stream.get();
  }

  confab::Node node_;
  Script script_;
  std::string net_id_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Stream>> streams_;
  std::unique_ptr<confab::Server> server_;
};

}  // namespace radix::pastiche
