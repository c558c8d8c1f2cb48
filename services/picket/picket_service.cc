#include "services/picket/picket_service.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/caller.h"
#include "services/confab/clock.h"
#include "services/confab/grpc_status.h"
#include "services/picket/picket_codec.h"

namespace radix::picket {
namespace {

template <typename Response>
Response EncodeList(const std::vector<Plugin>& plugins) {
  Response response;
  const Instant now = confab::Now();
  const auto wall = confab::WallNow();
  for (const Plugin& each : plugins) *response.add_plugins() = EncodePlugin(each, now, wall);
  return response;
}

// Whoever may give orders may run programs as the node's user.
absl::Status CheckMayOrder(const grpc::CallbackServerContext& context) {
  if (confab::CameThroughUnixSocket(context)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      "picket starts and stops only for callers on its Unix socket, picket.sock in the node's "
      "state folder; this call came over TCP");
}

}  // namespace

grpc::ServerUnaryReactor* PicketService::Start(grpc::CallbackServerContext* context,
                                               const v1::StartRequest* request,
                                               v1::StartResponse* response) {
  if (absl::Status may = CheckMayOrder(*context); !may.ok()) return confab::Answer(context, may);
  const auto epoch = DecodeEpoch(request->epoch());
  if (!epoch.ok()) return confab::Answer(context, epoch.status());
  const auto spec = DecodeSpec(request->spec());
  if (!spec.ok()) return confab::Answer(context, spec.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  plugins_.Start(*epoch, *spec, [reactor, response](const absl::StatusOr<Plugin>& plugin) {
    if (plugin.ok()) {
      *response->mutable_plugin() = EncodePlugin(*plugin, confab::Now(), confab::WallNow());
    }
    reactor->Finish(confab::ToGrpc(plugin.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* PicketService::Stop(grpc::CallbackServerContext* context,
                                              const v1::StopRequest* request, v1::StopResponse*) {
  if (absl::Status may = CheckMayOrder(*context); !may.ok()) return confab::Answer(context, may);
  const auto epoch = DecodeEpoch(request->epoch());
  const auto grace = DecodeGrace(request->grace_seconds());
  absl::Status status = epoch.ok() ? grace.status() : epoch.status();
  if (status.ok() && request->id().empty()) status = absl::InvalidArgumentError("id: is missing");
  if (status.ok()) status = plugins_.Stop(*epoch, request->id(), *grace);
  return confab::Answer(context, status);
}

grpc::ServerUnaryReactor* PicketService::ListPlugins(grpc::CallbackServerContext* context,
                                                     const v1::ListPluginsRequest*,
                                                     v1::ListPluginsResponse* response) {
  *response = EncodeList<v1::ListPluginsResponse>(plugins_.List());
  return confab::Answer(context, absl::OkStatus());
}

grpc::ServerWriteReactor<v1::WatchPluginsResponse>* PicketService::WatchPlugins(
    grpc::CallbackServerContext*, const v1::WatchPluginsRequest*) {
  auto stream = Stream::Create(1);
  const std::weak_ptr<Stream> weak = stream;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = next_stream_++;
    if (!ended_) streams_.emplace(number, weak);
  }
  const auto watch = plugins_.Watch([weak](const std::vector<Plugin>& plugins) {
    if (const auto live = weak.lock()) {
      live->SendLatest(EncodeList<v1::WatchPluginsResponse>(plugins));
    }
  });
  stream->Begin([this, number, watch] {
    if (watch) plugins_.Unwatch(*watch);
    const std::lock_guard lock(mutex_);
    streams_.erase(number);
  });
  if (!watch) stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "there are 64 watchers already"});
  const std::lock_guard lock(mutex_);
  if (ended_) stream->End({grpc::StatusCode::UNAVAILABLE, "picket is draining"});
  return stream.get();
}

void PicketService::EndWatches() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    for (const auto& [number, weak] : streams_) {
      if (auto stream = weak.lock()) streams.push_back(std::move(stream));
    }
  }
  for (const auto& stream : streams) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "picket is draining"});
  }
}

}  // namespace radix::picket
