// flock_sim: runs simulations of flock, and prints what came of them.

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
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

nlohmann::ordered_json ToJson(const ScenarioResult& result, const std::string& command) {
  return {{"seed", result.seed},
          {"command", command},
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
          {"sealings", result.sealings},
          {"idle_bytes_per_node_s", result.idle_bytes_per_node_s},
          {"bytes_per_node_mean", result.bytes_per_node_mean},
          {"bytes_per_node_max", result.bytes_per_node_max},
          {"blind_probes_mean", result.blind_probes_mean},
          {"datagrams_max_200ms", result.datagrams_max_200ms},
          {"datagrams_max_200ms_leader", result.datagrams_max_200ms_leader},
          {"views_max", result.views_max},
          {"member_bytes_mean", result.member_bytes_mean},
          {"violations", result.violation_count},
          {"violation_texts", result.violations},
          {"trace_hash", Hex(result.trace_hash)},
          {"wall_s", result.wall_s},
          {"cpu_s", result.cpu_s}};
}

bool IsGood(const ScenarioResult& result) {
  return result.converged && result.violation_count == 0;
}

void PrintText(const ScenarioResult& result, const std::string& command) {
  std::cout << "seed " << result.seed << ": " << (result.converged ? "converged" : "NOT CONVERGED")
            << ", view " << result.view_ms << " ms, sealed " << result.sealed_ms << " ms, removed "
            << result.removal_ms_p99 << " ms, " << result.bytes_per_node_mean / 1000
            << " KB a node, " << result.violation_count << " violations, trace "
            << Hex(result.trace_hash) << ", " << result.wall_s << " s\n";
  for (const std::string& violation : result.violations) std::cout << "  " << violation << '\n';
  if (result.violation_count > result.violations.size()) {
    std::cout << "  and " << result.violation_count - result.violations.size() << " more\n";
  }
  if (!IsGood(result)) std::cout << "  again: " << command << '\n';
  std::cout.flush();
}

// Results as they come, so that those that were there stay when a later one never comes: one
// object, or of several seeds an array.
class JsonOutput {
 public:
  explicit JsonOutput(bool several) : several_(several) {}
  void Print(const nlohmann::ordered_json& result) {
    if (several_) std::cout << (printed_++ == 0 ? "[\n" : ",\n");
    std::cout << result.dump(2) << std::flush;
  }
  void End() { std::cout << (several_ ? "\n]\n" : "\n"); }

 private:
  bool several_;
  std::size_t printed_ = 0;
};

struct Arguments {
  radix::sim::ScenarioOptions options;
  std::uint64_t seeds = 1;
  bool json = false;
  bool remember = false;
};

// CLI11 takes -1 for 2^64 - 1.
std::string WholeNumber(const std::string& text) {
  const bool whole = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  return whole ? "" : "must be a whole number, not negative; it is '" + text + "'";
}

std::string Above0(const std::string& text) {
  const bool zero = text.find_first_not_of('0') == std::string::npos;
  return zero ? "must be greater than 0; without it, the scenario has its own" : "";
}

std::string Scenarios() {
  std::string list = "Scenarios:\n";
  for (const auto& [name, what] : radix::sim::Scenarios()) {
    list += "  " + std::string(name) + ": " + std::string(what) + '\n';
  }
  return list;
}

// What is no time that fits becomes one that is refused.
radix::Duration ToDuration(double number, double nanoseconds) {
  constexpr double kMost = 9e18;
  const double product = number * nanoseconds;
  if (!(product > -kMost && product < kMost)) return radix::Duration::min();
  return radix::Duration(std::llround(product));
}

// Returns an exit code where there is nothing to be run.
std::optional<int> Parse(int argc, char** argv, Arguments& arguments) {
  CLI::App app{"Runs flock, as it is in production, in a simulated network."};
  auto& options = arguments.options;
  double length_s = 0;
  double spread_ms = 500;
  std::string output = "text";
  app.footer(
      Scenarios() +
      "Exit code: 0 if every seed converged without a violation, 1 if one did not, 2 for bad "
      "arguments.");
  app.option_defaults()->always_capture_default();
  const auto whole = [](CLI::Option* option) {
    option->check(WholeNumber);
    return option;
  };
  app.add_option("--scenario", options.name, "one of those below");
  whole(app.add_option("--nodes", options.nodes, "how many nodes"));
  app.add_option("--density", options.density, "nodes per address slot, in (0, 1]");
  app.add_option("--loss", options.loss, "the share of datagrams that are lost, in [0, 1)");
  app.add_option("--boot-spread", spread_ms, "all nodes boot within so many ms");
  whole(app.add_option("--seed", options.seed, "the first seed"));
  whole(app.add_option("--seeds", arguments.seeds, "how many seeds, one after another"))
      ->check(Above0);
  app.add_option("--load", options.load,
                 "overload: how much of the shared processors idle nodes need");
  whole(app.add_option("--buffer", options.buffer_bytes,
                       "overload: bytes that a socket holds, as Linux counts; 0: as usual"));
  app.add_option("-o,--output", output, "text or json")->check(CLI::IsMember({"text", "json"}));
  app.option_defaults()->always_capture_default(false);
  whole(app.add_option("--at-most", options.at_most, "the charter's at_most; by default --nodes"))
      ->check(Above0);
  const CLI::Option* const length =
      app.add_option("--length", length_s,
                     "virtual seconds of what the scenario does for a time; by default as below");
  whole(app.add_option("--count", options.count,
                       "how often the scenario does what it does often; by default as below"))
      ->check(Above0);
  app.add_flag("--remember-crypto", arguments.remember,
               "asks libsodium once what all nodes ask it; the same results, a third sooner");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.length = ToDuration(length_s, 1e9);
  // None at all is how the scenario is told to choose.
  if (length->count() > 0 && options.length == radix::Duration(0)) {
    options.length = radix::Duration::min();
  }
  options.boot_spread = ToDuration(spread_ms, 1e6);
  arguments.json = output == "json";
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (const auto code = Parse(argc, argv, arguments)) return *code;
  if (arguments.remember) radix::sim::RememberCrypto();
  radix::sim::ScenarioOptions& options = arguments.options;
  JsonOutput json(arguments.seeds > 1);
  bool good = true;
  for (std::uint64_t i = 0; i < arguments.seeds; ++i, ++options.seed) {
    const auto result = radix::sim::RunScenario(options);
    if (!result.ok()) {
      std::cerr << "flock_sim: " << std::string(result.status().message()) << '\n';
      return 2;
    }
    good = good && IsGood(*result);
    const std::string command = CommandOf(options);
    if (arguments.json) {
      json.Print(ToJson(*result, command));
    } else {
      PrintText(*result, command);
    }
  }
  if (arguments.json) json.End();
  return good ? 0 : 1;
}
