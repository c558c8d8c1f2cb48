#include "services/registry/group_driver.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "radix/flock/v1/flock.grpc.pb.h"
#include "services/registry/group_codec.h"

namespace radix::registry {

GroupLink::GroupLink(const confab::Node& node, std::function<void(const Group&)> on_group)
    : subscription_(WatchLocal<flock::v1::FlockService>(
                        node, "flock", &flock::v1::FlockService::Stub::async::WatchGroup),
                    [on_group = std::move(on_group)](const flock::v1::WatchGroupResponse& message) {
                      auto group = GroupFrom(message);
                      if (group.ok()) {
                        on_group(*group);
                      } else {
                        spdlog::error("flock: {}", std::string(group.status().message()));
                      }
                    }) {}

}  // namespace radix::registry
