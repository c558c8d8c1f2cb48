#include "fulcrum/built_in.h"

#include "services/flock/run.h"
#include "services/healthminder/run.h"
#include "services/heartbeater/run.h"
#include "services/pastiche/run.h"
#include "services/picket/run.h"
#include "services/proctor/run.h"
#include "services/reeve/run.h"
#include "services/steward/run.h"

namespace radix::fulcrum {
namespace {

struct BuiltIn {
  std::string_view name;
  RunService* run;
};

// Explicit on purpose: services that registered themselves would be dropped by the linker, which
// takes from a static library only what somebody names.
constexpr BuiltIn kBuiltIns[] = {
    {"flock", flock::Run},
    {"heartbeater", heartbeater::Run},
    {"reeve", reeve::Run},
    {"steward", steward::Run},
    {"picket", picket::Run},
    {"proctor", proctor::RunProctor},
    {"dean", proctor::RunDean},
    {"pastiche", pastiche::Run},
    {"healthminder", healthminder::Run},
};

}  // namespace

RunService* FindBuiltIn(std::string_view name) {
  for (const BuiltIn& each : kBuiltIns) {
    if (each.name == name) return each.run;
  }
  return nullptr;
}

}  // namespace radix::fulcrum
