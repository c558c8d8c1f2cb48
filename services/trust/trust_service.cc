#include "services/trust/trust_service.h"

#include <memory>

#include "services/confab/caller.h"

namespace radix::trust {

grpc::ServerWriteReactor<v1::WatchPeersResponse>* TrustServiceImpl::WatchPeers(
    grpc::CallbackServerContext* context, const v1::WatchPeersRequest* /*request*/) {
  auto stream = WatchStream::Create();
  if (!confab::CameThroughUnixSocket(*context)) {
    stream->End({grpc::StatusCode::PERMISSION_DENIED, "only this node's own processes may ask"});
  } else if (!watchers_.Add(stream)) {
    stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "there are 1,024 watchers already"});
  } else {
    auto revision = std::make_shared<std::optional<std::uint64_t>>();
    stream->Begin(
        [this, revision](v1::WatchPeersResponse& response) { return NextFor(*revision, response); },
        [this, stream] { watchers_.Remove(stream); });
  }
  return stream.get();
}

bool TrustServiceImpl::NextFor(std::optional<std::uint64_t>& revision,
                               v1::WatchPeersResponse& response) {
  const std::lock_guard lock(mutex_);
  // Nobody is told that there is nobody, before flock has said who there is.
  if (nodes_.revision() == 0 || revision == nodes_.revision()) return false;
  const NodeKeys::Changes changes = nodes_.Since(revision);
  revision = changes.revision;
  response.set_snapshot(changes.snapshot);
  for (const NodeKey& node : changes.nodes) {
    v1::NodeKey& to = *response.add_nodes();
    to.set_address(node.address.ToString());
    if (node.fingerprint) to.set_key_fingerprint(*node.fingerprint);
  }
  return true;
}

void TrustServiceImpl::SetNodes(const std::vector<NodeKey>& living) {
  {
    const std::lock_guard lock(mutex_);
    if (!nodes_.Replace(living)) return;
  }
  watchers_.WakeAll();
}

void TrustServiceImpl::EndStreams() {
  watchers_.EndAll({grpc::StatusCode::UNAVAILABLE, "reeve is shutting down; connect again"});
}

}  // namespace radix::trust
