#include "services/reeve/run.h"

#include <functional>
#include <utility>

#include "clients/cpp/attested_identity.h"
#include "clients/cpp/serve.h"
#include "services/confab/fingerprint.h"
#include "services/confab/log.h"
#include "services/confab/node.h"
#include "services/confab/node_key.h"
#include "services/reeve/door_service.h"
#include "services/reeve/doors_driver.h"
#include "services/reeve/reeve_service.h"
#include "services/trust/pairing_service.h"
#include "services/trust/trust_service.h"

namespace radix::reeve {

int Run(int argc, char** argv) {
  confab::StartLog("reeve");
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  const auto network = AttestedNetwork(arguments->node, "reeve");
  if (!network.ok()) return confab::Fail(network.status(), 1);
  const std::uint16_t port = arguments->charter.port;
  const auto seed = confab::LoadOrMakeNodeKey(network->node.state);
  if (!seed.ok()) return confab::Fail(seed.status(), 1);
  trust::TrustServiceImpl trust;
  trust::PairingServiceImpl pairing(network->node, port, FingerprintOf(confab::PublicKeyOf(*seed)));
  trust.current_rules().OnChange([&pairing](const auto& rules) { pairing.SetRules(rules); });
  pairing.OnRoll([&trust] { trust.Roll(); });
  ReeveServiceImpl service(network->node, static_cast<std::uint16_t>(port + 1), trust, pairing);
  Doors doors(network->node,
              {.reeve = service, .pairing = pairing, .rules = trust.current_rules()});
  DoorServiceImpl door_service(doors);
  auto serving =
      Serve(*network,
            {.horde = "radix",
             .api = "reeve1",
             .inst = "reeve1_0",
             .port = port,
             .socket = "reeve",
             .drain_quiet = 0s,
             .drain_limit = 1s,
             .on_drain =
                 [&] {
                   door_service.EndStreams();
                   doors.EndStreams();
                   service.EndStreams();
                   trust.EndStreams();
                   pairing.EndStreams();
                 },
             .prove_alive =
                 [&](std::function<void()> then) {
                   service.AfterTurn([&doors, then = std::move(then)] { doors.AfterTurn(then); });
                 }},
            {{&service, v1::ReeveService::service_full_name()},
             {&door_service, trust::v1::DoorService::service_full_name()},
             {&trust, trust::v1::TrustService::service_full_name()},
             {&pairing, trust::v1::PairingService::service_full_name()}});
  if (!serving.ok()) return confab::Fail(serving.status(), 1);
  return (*serving)->Wait();
}

}  // namespace radix::reeve
