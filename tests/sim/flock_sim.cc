// flock_sim: runs simulations of flock, and prints what came of them.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/sim/remembered_crypto.h"
#include "tests/sim/scenario.h"

namespace {

using radix::sim::ScenarioResult;

std::string Hex(std::uint64_t number) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = text.size(); i > 0; --i, number >>= 4) text[i - 1] = kDigits[number & 15];
  return text;
}

nlohmann::ordered_json ToJson(const ScenarioResult& result) {
  return {{"seed", result.seed},
          {"converged", result.converged},
          {"view_ms", result.view_ms},
          {"sealed_ms", result.sealed_ms},
          {"removal_ms_p50", result.removal_ms_p50},
          {"removal_ms_p99", result.removal_ms_p99},
          {"removal_ms_max", result.removal_ms_max},
          {"healthy_removed", result.healthy_removed},
          {"healthy_removed_by_sick", result.healthy_removed_by_sick},
          {"replays", result.replays},
          {"replays_that_changed", result.replays_that_changed},
          {"replays_late", result.replays_late},
          {"cold_start_ms", result.cold_start_ms},
          {"processors_idle", result.processors_idle},
          {"processors_overloaded", result.processors_overloaded},
          {"processors_end", result.processors_end},
          {"late_ms_idle", result.late_ms_idle},
          {"late_ms_overloaded", result.late_ms_overloaded},
          {"idle_bytes_per_node_s", result.idle_bytes_per_node_s},
          {"bytes_per_node_mean", result.bytes_per_node_mean},
          {"bytes_per_node_max", result.bytes_per_node_max},
          {"blind_probes_mean", result.blind_probes_mean},
          {"datagrams_max_200ms", result.datagrams_max_200ms},
          {"datagrams_max_200ms_leader", result.datagrams_max_200ms_leader},
          {"views_max", result.views_max},
          {"member_bytes_mean", result.member_bytes_mean},
          {"violations", result.violations.size()},
          {"violation_texts", result.violations},
          {"trace_hash", Hex(result.trace_hash)},
          {"wall_s", result.wall_s},
          {"cpu_s", result.cpu_s}};
}

void PrintText(const ScenarioResult& result) {
  std::cout << "seed " << result.seed << ": " << (result.converged ? "converged" : "NOT CONVERGED")
            << ", view " << result.view_ms << " ms, sealed " << result.sealed_ms << " ms, removed "
            << result.removal_ms_p99 << " ms, " << result.bytes_per_node_mean / 1000
            << " KB a node, " << result.violations.size() << " violations, trace "
            << Hex(result.trace_hash) << ", " << result.wall_s << " s\n";
  for (const std::string& violation : result.violations) std::cout << "  " << violation << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs flock, as it is in production, in a simulated network."};
  radix::sim::ScenarioOptions options;
  std::uint64_t seeds = 1;
  std::string output = "text";
  std::string footer = "Scenarios:\n";
  for (const auto& [name, what] : radix::sim::Scenarios()) {
    footer += "  " + std::string(name) + ": " + std::string(what) + '\n';
  }
  app.footer(
      footer +
      "Exit code: 0 if every seed converged without a violation, 1 if one did not, 2 for bad "
      "arguments.");
  double length_s = 0;
  double spread_ms = 500;
  app.add_option("--scenario", options.name, "one of those below");
  app.add_option("--nodes", options.nodes, "how many nodes");
  app.add_option("--density", options.density, "nodes per address slot, in (0, 1]");
  app.add_option("--loss", options.loss, "the share of datagrams that are lost, in [0, 1)");
  app.add_option("--at-most", options.at_most, "the charter's at_most; by default --nodes");
  app.add_option("--boot-spread", spread_ms, "all nodes boot within so many ms");
  app.add_option("--length", length_s, "virtual seconds of what the scenario does for a time");
  app.add_option("--count", options.count, "how often the scenario does what it does often");
  app.add_option("--load", options.load, "how much of shared processors idle nodes need");
  app.add_option("--buffer", options.buffer_bytes, "bytes that a socket holds, as Linux counts");
  app.add_option("--seed", options.seed, "the first seed");
  app.add_option("--seeds", seeds, "how many seeds, one after another");
  bool remember = false;
  app.add_flag("--remember-crypto", remember,
               "asks libsodium once what all nodes ask it; the same results, a third sooner");
  app.add_option("-o,--output", output, "text or json")->check(CLI::IsMember({"text", "json"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  if (remember) radix::sim::RememberCrypto();
  options.length = radix::Duration(static_cast<std::int64_t>(length_s * 1e9));
  options.boot_spread = radix::Duration(static_cast<std::int64_t>(spread_ms * 1e6));
  auto list = nlohmann::ordered_json::array();
  bool good = true;
  for (std::uint64_t i = 0; i < seeds; ++i, ++options.seed) {
    const auto result = radix::sim::RunScenario(options);
    if (!result.ok()) {
      std::cerr << "flock_sim: " << std::string(result.status().message()) << '\n';
      return 2;
    }
    good = good && result->converged && result->violations.empty();
    if (output == "json") {
      list.push_back(ToJson(*result));
    } else {
      PrintText(*result);
    }
  }
  if (output == "json") std::cout << (seeds == 1 ? list.front() : list).dump(2) << '\n';
  return good ? 0 : 1;
}
