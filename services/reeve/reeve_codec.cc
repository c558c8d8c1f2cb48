#include "services/reeve/reeve_codec.h"

#include <algorithm>
#include <utility>

#include "services/registry/registry_codec.h"

namespace radix::reeve {
namespace {

constexpr std::int64_t kHoldsAtLeastNs = 2'000'000'000;

}  // namespace

registry::v1::Instance ToProto(registry::Instance instance, std::int64_t now_ns) {
  if (instance.status != registry::Status::kDead) {
    instance.valid_until_ns = std::max(instance.valid_until_ns, now_ns + kHoldsAtLeastNs);
  }
  return registry::ToProto(instance);
}

}  // namespace radix::reeve
