#include "services/registry/group_driver.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "radix/flock/v1/flock.grpc.pb.h"
#include "services/confab/dial.h"
#include "services/registry/group_codec.h"

namespace radix::registry {

GroupLink::GroupLink(const confab::Node& node, std::function<void(const Group&)> on_group)
    : subscription_(
          [node](grpc::ClientContext& context, auto* reactor) {
            static const flock::v1::WatchGroupRequest request;
            std::shared_ptr stub =
                flock::v1::FlockService::NewStub(confab::DialLocal(node, "flock"));
            stub->async()->WatchGroup(&context, &request, reactor);
            return stub;
          },
          [on_group = std::move(on_group)](const flock::v1::WatchGroupResponse& message) {
            auto group = GroupFrom(message);
            if (group.ok()) {
              on_group(*group);
            } else {
              spdlog::error("flock: {}", std::string(group.status().message()));
            }
          }) {}

}  // namespace radix::registry
