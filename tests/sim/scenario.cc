#include "tests/sim/scenario.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <iterator>
#include <system_error>

#include "absl/status/status.h"
#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

constexpr const Scenario* kScenarios[] = {&kColdStart,   &kIdle,        &kPartition, &kRestarts,
                                          &kRackFailure, &kGray,        &kIslands,   &kChurn,
                                          &kRotation,    &kBlocs,       &kReplay,    &kInsider,
                                          &kSwarm,       &kSwarmAtBoot, &kOverload,  &kRevocations};

ClusterOptions OptionsFor(const ScenarioOptions& options) {
  ClusterOptions cluster;
  cluster.nodes = options.nodes;
  cluster.density = options.density;
  cluster.at_most = options.at_most;
  cluster.network.loss = options.loss;
  if (options.buffer_bytes > 0) cluster.processors.buffer_bytes = options.buffer_bytes;
  cluster.seed = options.seed;
  return cluster;
}

constexpr Duration kLengthMost = 1000h;

std::string Names() {
  std::string names;
  for (const Scenario* const scenario : kScenarios) {
    names += (names.empty() ? "" : ", ") + std::string(scenario->name);
  }
  return names;
}

// What is wrong, beginning with the flag; empty when nothing. NaN is in no range.
std::string Wrong(const ScenarioOptions& options) {
  const std::size_t at_most = options.at_most == 0 ? options.nodes : options.at_most;
  if (options.nodes < 1 || options.nodes > 100000) return "--nodes: must be in [1, 100000]";
  if (!(options.density > 0.0001 && options.density <= 1)) {
    return "--density: must be in (0.0001, 1]";
  }
  if (!(options.loss >= 0 && options.loss < 1)) return "--loss: must be in [0, 1)";
  if (at_most < options.nodes) return "--at-most: must be at least the number of nodes";
  if (options.nodes <= at_most / 2) {
    return "--at-most: of so many, " + std::to_string(options.nodes) + " nodes are no quorum";
  }
  if (options.boot_spread < 0ms || options.boot_spread > kLengthMost) {
    return "--boot-spread: must be in [0 ms, 1000 h]";
  }
  if (options.length < 0ms || options.length > kLengthMost) {
    return "--length: must be in (0 s, 1000 h]";
  }
  if (!(options.load > 0 && options.load <= 100)) {
    return "--load: must be in (0, 100]";
  }
  return "";
}

// The same, of what the scenario makes of them.
std::string WrongFor(const Scenario& scenario, const ScenarioOptions& options) {
  const std::string name(scenario.name);
  if (options.nodes < scenario.nodes_least) {
    return "--nodes: " + name + " takes " + std::to_string(scenario.nodes_least) + " at least";
  }
  if (options.length != 0ms && !scenario.uses_length)
    return "--length: " + name + " has no use for it";
  if (options.count != 0 && !scenario.uses_count) return "--count: " + name + " has no use for it";
  const ScenarioOptions defaults;
  if (options.load != defaults.load && !scenario.shares_processors) {
    return "--load: " + name + " has no use for it";
  }
  if (options.buffer_bytes != defaults.buffer_bytes && !scenario.shares_processors) {
    return "--buffer: " + name + " has no use for it";
  }
  return scenario.check != nullptr ? scenario.check(options) : "";
}

// The shortest decimal number that is read back as the same.
std::string Text(double number) {
  char digits[32];
  const auto end =
      std::to_chars(std::begin(digits), std::end(digits), number, std::chars_format::fixed);
  return end.ec == std::errc() ? std::string(digits, end.ptr) : std::to_string(number);
}

std::string Text(Duration duration, Duration unit) {
  return Text(static_cast<double>(duration.count()) / static_cast<double>(unit.count()));
}

}  // namespace

std::vector<std::pair<std::string_view, std::string_view>> Scenarios() {
  std::vector<std::pair<std::string_view, std::string_view>> list;
  for (const Scenario* const scenario : kScenarios)
    list.emplace_back(scenario->name, scenario->what);
  return list;
}

std::string CommandOf(const ScenarioOptions& options) {
  const ScenarioOptions defaults;
  std::string command = "flock_sim --scenario " + options.name;
  const auto add = [&command](const char* flag, const std::string& value) {
    command += " " + std::string(flag) + " " + value;
  };
  add("--nodes", std::to_string(options.nodes));
  if (options.density != defaults.density) add("--density", Text(options.density));
  if (options.loss != defaults.loss) add("--loss", Text(options.loss));
  if (options.at_most != 0) add("--at-most", std::to_string(options.at_most));
  if (options.boot_spread != defaults.boot_spread) {
    add("--boot-spread", Text(options.boot_spread, 1ms));
  }
  if (options.length != 0ms) add("--length", Text(options.length, 1s));
  if (options.count != 0) add("--count", std::to_string(options.count));
  if (options.load != defaults.load) add("--load", Text(options.load));
  if (options.buffer_bytes != defaults.buffer_bytes) {
    add("--buffer", std::to_string(options.buffer_bytes));
  }
  add("--seed", std::to_string(options.seed));
  return command;
}

absl::StatusOr<ScenarioResult> RunScenario(const ScenarioOptions& options) {
  const auto* const found = std::ranges::find(kScenarios, options.name, &Scenario::name);
  if (found == std::end(kScenarios)) {
    return absl::InvalidArgumentError("--scenario: there is none called '" + options.name +
                                      "'; there are " + Names());
  }
  std::string wrong = Wrong(options);
  if (wrong.empty()) wrong = WrongFor(**found, options);
  if (!wrong.empty()) return absl::InvalidArgumentError(wrong);
  const Scenario& scenario = **found;
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t cpu_begin = std::clock();
  ClusterOptions cluster = OptionsFor(options);
  if (scenario.prepare != nullptr) scenario.prepare(cluster);
  Course course(options, cluster);
  scenario.run(course);
  course.Measure();
  ScenarioResult result = course.result();
  result.seed = options.seed;
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.cpu_s = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
  return result;
}

}  // namespace radix::sim
