#include "fulcrum/built_in.h"

#include <array>

#ifdef RADIX_HAS_FLOCK
#include "services/flock/run.h"
#endif
#ifdef RADIX_HAS_HEARTBEATER
#include "services/heartbeater/run.h"
#endif
#ifdef RADIX_HAS_REEVE
#include "services/reeve/run.h"
#endif
#ifdef RADIX_HAS_STEWARD
#include "services/steward/run.h"
#endif
#ifdef RADIX_HAS_PICKET
#include "services/picket/run.h"
#endif
#ifdef RADIX_HAS_PROCTOR
#include "services/proctor/run.h"
#endif
#ifdef RADIX_HAS_PASTICHE
#include "services/pastiche/run.h"
#endif
#ifdef RADIX_HAS_HEALTHMINDER
#include "services/healthminder/run.h"
#endif

namespace radix::fulcrum {
namespace {

struct BuiltIn {
  std::string_view name;
  RunService* run;
};

// Explicit on purpose: services that registered themselves would be dropped by the linker, which
// takes from a static library only what somebody names.
constexpr BuiltIn kBuiltIns[] = {
#ifdef RADIX_HAS_FLOCK
    {"flock", flock::Run},
#endif
#ifdef RADIX_HAS_HEARTBEATER
    {"heartbeater", heartbeater::Run},
#endif
#ifdef RADIX_HAS_REEVE
    {"reeve", reeve::Run},
#endif
#ifdef RADIX_HAS_STEWARD
    {"steward", steward::Run},
#endif
#ifdef RADIX_HAS_PICKET
    {"picket", picket::Run},
#endif
#ifdef RADIX_HAS_PROCTOR
    {"proctor", proctor::RunProctor},
    {"dean", proctor::RunDean},
#endif
#ifdef RADIX_HAS_PASTICHE
    {"pastiche", pastiche::Run},
#endif
#ifdef RADIX_HAS_HEALTHMINDER
    {"healthminder", healthminder::Run},
#endif
};

}  // namespace

RunService* FindBuiltIn(std::string_view name) {
  for (const BuiltIn& each : kBuiltIns) {
    if (each.name == name) return each.run;
  }
  return nullptr;
}

}  // namespace radix::fulcrum
