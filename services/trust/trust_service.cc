#include "services/trust/trust_service.h"

#include <memory>
#include <utility>

#include "services/confab/caller.h"
#include "services/trust/trust_codec.h"

namespace radix::trust {

grpc::ServerWriteReactor<v1::WatchPeersResponse>* TrustServiceImpl::WatchPeers(
    grpc::CallbackServerContext* context, const v1::WatchPeersRequest* /*request*/) {
  auto stream = WatchStream::Create();
  if (!confab::CameThroughUnixSocket(*context)) {
    stream->End({grpc::StatusCode::PERMISSION_DENIED, "only this node's own processes may ask"});
  } else if (!watchers_.Add(stream)) {
    stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "there are 1,024 watchers already"});
  } else {
    auto cursor = std::make_shared<Cursor>();
    {
      const std::lock_guard lock(mutex_);
      cursor->rolls = rolls_;
    }
    stream->Begin(
        [this, cursor](v1::WatchPeersResponse& response) { return NextFor(*cursor, response); },
        [this, stream] { watchers_.Remove(stream); });
  }
  return stream.get();
}

bool TrustServiceImpl::NextFor(Cursor& cursor, v1::WatchPeersResponse& response) {
  const std::lock_guard lock(mutex_);
  // Nobody is told that there is nobody, before flock has said who there is.
  if (nodes_.revision() == 0 || (!revoked_ && !waited_)) return false;
  const bool same_nodes = cursor.revision == nodes_.revision();
  const bool roll = std::exchange(cursor.rolls, rolls_) != rolls_;
  // Who does not know what was revoked trusts no operator's key.
  const bool cut_off = cut_off_ || !revoked_;
  const bool same_contact = std::exchange(cursor.cut_off, cut_off) == cut_off;
  if (same_nodes && cursor.revoked_revision == revoked_revision_ && !roll && same_contact) {
    return false;
  }
  response.set_roll(roll);
  response.set_cut_off(cut_off);
  const NodeKeys::Changes changes = nodes_.Since(cursor.revision);
  cursor.revision = changes.revision;
  // Who asks may still know what this reeve, which has just begun, has not heard yet.
  if (std::exchange(cursor.revoked_revision, revoked_revision_) != revoked_revision_ && revoked_) {
    *response.mutable_revoked() = ToProto(*revoked_);
  }
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
    const bool waited = confab::Now() - began_ >= kRevokedLimit;
    const bool changed = nodes_.Replace(living) || waited != waited_;
    waited_ = waited;
    if (!changed) return;
  }
  watchers_.WakeAll();
}

void TrustServiceImpl::Roll() {
  {
    const std::lock_guard lock(mutex_);
    ++rolls_;
  }
  watchers_.WakeAll();
}

void TrustServiceImpl::SetRevoked(Revoked revoked) {
  {
    const std::lock_guard lock(mutex_);
    if (revoked_ == revoked) return;
    revoked_ = std::move(revoked);
    ++revoked_revision_;
  }
  watchers_.WakeAll();
}

void TrustServiceImpl::SetCutOff(bool cut_off) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(cut_off_, cut_off) == cut_off) return;
  }
  watchers_.WakeAll();
}

void TrustServiceImpl::EndStreams() {
  watchers_.EndAll({grpc::StatusCode::UNAVAILABLE, "reeve is shutting down; connect again"});
}

}  // namespace radix::trust
