// radix lab up: powers up N nodes on this machine and returns when all of them serve.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/await.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/lab_network.h"
#include "clients/cli/lab_view.h"
#include "clients/cli/log_tail.h"
#include "clients/cli/node_process.h"
#include "clients/cli/port_check.h"
#include "clients/cli/ready.h"
#include "clients/cli/start_nodes.h"
#include "clients/cli/starter_rules.h"
#include "clients/cli/verbs.h"
#include "clients/cli/view.h"
#include "services/confab/clock.h"
#include "services/confab/lock_file.h"

namespace radix::cli {
namespace {

constexpr Duration kReadyLimit = 60s;
constexpr Duration kRulesLimit = 10s;
constexpr Duration kUndoLimit = 5s;

struct Options {
  std::optional<int> nodes;
  std::optional<std::string> range;
  std::optional<int> port;
  std::optional<bool> netns;
  std::optional<std::string> services;
  std::optional<int> loss;
  std::vector<std::string> labels;
};

std::filesystem::path Place(const Invocation& invocation) {
  const auto place = FindLab(invocation.state);
  const bool named = !invocation.state.empty() || std::getenv("RADIX_LAB") != nullptr;
  // One that was merely remembered may be gone since.
  return !place.empty() && (named || LoadLab(place).ok()) ? place : DefaultLabPlace();
}

// What was asked for; what was left open is as it was when the lab was up last.
LabPlan Plan(const std::filesystem::path& place, const Options& options,
             const absl::StatusOr<Lab>& before) {
  LabPlan plan{.state = place, .labels = options.labels};
  if (before.ok()) {
    plan.nodes = static_cast<int>(before->nodes.size());
    plan.port = before->port;
    plan.netns = before->netns;
    plan.flock_only = before->flock_only;
    plan.loss = before->loss;
  }
  plan.netns = options.netns.value_or(plan.netns);
  if (options.services) plan.flock_only = *options.services == "none";
  plan.loss = options.loss.value_or(plan.netns ? plan.loss : 0);
  plan.range = before.ok() && before->netns == plan.netns ? before->range
               : plan.netns                               ? kNetnsRange
                                                          : kLoopbackRange;
  plan.nodes = options.nodes.value_or(plan.nodes);
  plan.range = options.range.value_or(plan.range);
  plan.port = options.port.value_or(plan.port);
  if (!before.ok() || !options.labels.empty()) return plan;
  for (const LabNode& node : before->nodes) {
    if (&node - before->nodes.data() >= plan.nodes) break;  // those behind are asked for no more
    for (const std::string& label : node.labels) plan.labels.push_back(node.name + ":" + label);
  }
  return plan;
}

// Whether what runs of `lab` is what `other` asks for, too.
bool IsSame(const Lab& lab, const Lab& other) {
  return lab.range == other.range && lab.port == other.port && lab.netns == other.netns &&
         lab.flock_only == other.flock_only && lab.loss == other.loss &&
         std::equal(lab.nodes.begin(), lab.nodes.end(), other.nodes.begin(), other.nodes.end(),
                    [](const LabNode& a, const LabNode& b) { return a.labels == b.labels; });
}

// For example ", --netns --services none, labels n2:rack=7 n4:rack=7"; empty without any.
std::string FlagsText(const Lab& lab) {
  std::string text;
  if (lab.netns) text += ", --netns";
  if (lab.flock_only) absl::StrAppend(&text, lab.netns ? "" : ",", " --services none");
  if (lab.loss > 0) absl::StrAppend(&text, " --loss ", lab.loss);
  bool labelled = false;
  for (const LabNode& node : lab.nodes) {
    for (const std::string& label : node.labels) {
      absl::StrAppend(&text, labelled ? "" : ", labels", " ", node.name, ":", label);
      labelled = true;
    }
  }
  return text;
}

// Waits until the lab is ready. Says what is missing when the time is up, a node ended, or
// somebody pressed Ctrl-C, which `interrupt` tells of.
absl::StatusOr<Readiness> AwaitReady(const Lab& lab, const std::vector<ProcessId>& processes,
                                     int interrupt) {
  std::vector<confab::Descriptor> ends;
  std::vector<int> events = {interrupt};
  for (const ProcessId& process : processes) {
    events.push_back(ends.emplace_back(EndOf(process)).get());
  }
  Await await(kReadyLimit);
  do {
    if (Interrupted()) return absl::CancelledError("interrupted");
    for (std::size_t i = 0; i < processes.size(); ++i) {
      if (IsRunning(processes[i])) continue;
      return absl::UnavailableError(absl::StrCat(
          "fulcrum of ", lab.nodes[i].name, " ended; the last it said:", LogTail(lab.nodes[i])));
    }
    Readiness readiness = CheckReady(lab, false);
    if (readiness.missing.empty()) return readiness;
  } while (await.Again(events));
  const std::string errors = LastErrors(lab.nodes);
  return absl::DeadlineExceededError(absl::StrCat(
      "not ready after 60 s; missing:\n  ", absl::StrJoin(CheckReady(lab, true).missing, "\n  "),
      errors.empty() ? "" : "\nthe last errors in the logs:", errors, "\nthe logs are in ",
      (lab.state / "NODE" / "log").string()));
}

// A lab that is up.
struct Up {
  Readiness readiness;
  bool began_rules = false;  // none were decided before
};

absl::StatusOr<Up> PowerUp(const Lab& lab, bool is_down, int interrupt) {
  if (lab.netns && is_down) {
    if (absl::Status status = MakeNetwork(lab); !status.ok()) return status;
  }
  const auto processes =
      StartNodes(lab.nodes, [&lab](const LabNode& node) { return StartNode(lab, node); });
  if (!processes.ok()) return processes.status();
  auto readiness = AwaitReady(lab, *processes, interrupt);
  if (!readiness.ok()) return readiness.status();
  if (lab.flock_only) return Up{*std::move(readiness)};
  const auto leader = lab.Node(readiness->leader);
  if (!leader.ok()) return leader.status();
  const auto began = BeginRules(*leader, kRulesLimit);
  if (!began.ok()) return began.status();
  return Up{*std::move(readiness), *began};
}

// Ends what PowerUp began.
absl::Status TakeDown(const Lab& lab) {
  const absl::Status ended = EndNodes(lab.nodes, SIGTERM, kUndoLimit);
  const absl::Status removed = RemoveNetwork(lab.state);
  return ended.ok() ? removed : ended;
}

void PrintWhatToTry(const Lab& lab, const std::string& leader) {
  namespace fs = std::filesystem;
  const std::string radix = fs::proximate(ProgramFolder() / "radix").string();
  const fs::path manifest = ProgramFolder() / "../../deploy/manifests/galumph.yaml";
  std::string survivor = leader;
  for (const LabNode& node : lab.nodes) {
    if (node.name != leader) survivor = node.name;
  }
  std::cout << "\nTry next:\n  " << radix << " get reeve1\n  ";
  if (survivor == leader) {
    std::cout << radix << " put " << radix << '\n';
  } else {
    std::cout << radix << " lab kill " << leader << " && " << radix << " status --wait --node "
              << survivor << '\n';
  }
  std::cout << "  " << radix << " apply "
            << (fs::exists(manifest) ? fs::proximate(manifest).string() : "MANIFEST") << " --node "
            << survivor << " && " << radix << " status --wait --node " << survivor << '\n';
}

int Show(const Invocation& invocation, const Lab& lab, const Up& up, double seconds) {
  const Readiness& readiness = up.readiness;
  const LabNode& first = lab.nodes.front();
  const auto members = Members(first);
  const auto services = lab.flock_only ? Json::array() : Services(first);
  if (!members.ok()) return Fail(members.status());
  if (!services.ok() && !lab.flock_only) return Fail(services.status());
  if (invocation.json()) {
    Json json = LabStatus(lab);
    json["leader"] = readiness.leader;
    json["epoch"] = readiness.epoch;
    json["seconds"] = seconds;
    json["began_rules"] = up.began_rules;
    PrintJson(json);
    return kExitOk;
  }
  PrintObjects(*members);
  std::cout << '\n';
  PrintObjects(*services);
  std::cout << (lab.flock_only ? "" : "\n") << lab.nodes.size()
            << (lab.flock_only ? " nodes are one flock, after " : " nodes serve, after ")
            << static_cast<double>(static_cast<int>(seconds * 10)) / 10 << " s, led by "
            << readiness.leader << ". Their state is in " << lab.state.string() << ".\n";
  if (up.began_rules) {
    std::cout << "Nobody had decided who may call whom, so now all may in the horde default: "
                 "deploy/rules/default.rules.\n";
  }
  if (!lab.flock_only) PrintWhatToTry(lab, readiness.leader);
  return kExitOk;
}

int LabUp(const Invocation& invocation, const Options& options) {
  const Instant begin = confab::Now();
  const auto place = Place(invocation);
  const auto before = LoadLab(place);
  const auto lab = PlanLab(Plan(place, options, before));
  if (absl::IsInvalidArgument(lab.status())) return FailUsage(lab.status());
  if (!lab.ok()) return Fail(lab.status());
  if (lab->netns) {
    if (absl::Status status = CheckNetworkTools(); !status.ok()) return Fail(status);
  }

  const bool is_new = !std::filesystem::exists(place);
  if (absl::Status status = MakePlace(place); !status.ok()) return Fail(status);
  const auto lock = confab::LockFile::Take(place / "lab.lock");
  if (absl::IsAlreadyExists(lock.status())) {
    return Fail(absl::AlreadyExistsError(
        absl::StrCat("another `radix lab up` or `lab down` is at work on ", place.string())));
  }
  // Whoever is refused finds no folder that was not there before.
  auto unmake = absl::MakeCleanup([&] {
    std::error_code error;
    if (is_new) std::filesystem::remove_all(place, error);
  });
  if (!lock.ok()) return Fail(lock.status());
  const auto runs = [](const LabNode& node) { return RunningNode(node).has_value(); };
  const auto running =
      before.ok() ? std::count_if(before->nodes.begin(), before->nodes.end(), runs) : 0;
  if (running > 0 && !IsSame(*before, *lab)) {
    return Fail(absl::AlreadyExistsError(absl::StrCat(
        "a lab of ", before->nodes.size(), " nodes in ", before->range, ", port ", before->port,
        FlagsText(*before), ", is up at ", place.string(), "; `radix lab down` ends it")));
  }
  if (running == static_cast<std::ptrdiff_t>(lab->nodes.size())) {
    if (absl::Status status = RecordLab(place); !status.ok()) return Fail(status);
    return Report(invocation.json(), LabStatus(*lab), "already up, at " + place.string());
  }
  for (const LabNode& node : lab->nodes) {
    if (runs(node)) continue;
    if (absl::Status status = CheckPortsFree(*lab, node); !status.ok()) return Fail(status);
  }
  if (absl::Status status = WriteLab(*lab); !status.ok()) return Fail(status);
  if (absl::Status status = RecordLab(place); !status.ok()) return Fail(status);

  std::move(unmake).Cancel();
  const int interrupt = CatchInterrupts();
  if (!invocation.json()) {
    std::cout << "powering up " << lab->nodes.size() << " nodes at " << place.string() << std::endl;
  }
  auto up = PowerUp(*lab, running == 0, interrupt);
  if (Interrupted()) up = absl::CancelledError("interrupted");
  if (up.ok()) {
    return Show(invocation, *lab, *up,
                std::chrono::duration<double>(confab::Now() - begin).count());
  }
  const int code = Fail(up.status());
  if (absl::Status status = TakeDown(*lab); !status.ok()) Fail(status);
  ForgetLab(place);
  std::cerr << "radix: took everything down again\n";
  return code;
}

}  // namespace

void AddLabUp(CLI::App& lab, Invocation& invocation) {
  CLI::App& verb =
      *lab.add_subcommand("up", "Powers up N nodes; returns when all of them serve")->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("--nodes", options->nodes, "How many. Default: 5, or as many as there were.");
  verb.add_option("--range", options->range,
                  "Their addresses, for example 127.89.0.0/24. Default: 127.88.0.0/24; with "
                  "--netns 10.88.0.0/24.");
  verb.add_option("--port", options->port, "flock's and reeve's port. Default: 7117.");
  verb.add_flag("--netns", options->netns,
                "A network namespace for each node, with a router between them. Takes root and "
                "--services none; see also `radix lab cut`.");
  verb.add_option("--services", options->services,
                  "`none` for nodes that run nothing but flock. Default: all.")
      ->check(CLI::IsMember({"all", "none"}));
  verb.add_option("--loss", options->loss,
                  "With --netns: how many percent of all datagrams are lost. Default: 0.");
  verb.add_option("--label", options->labels, "NODE:TAG or NODE:KEY=VALUE; may be given often")
      ->allow_extra_args(false);
  verb.callback([&invocation, options] {
    invocation.run = [&, options] { return LabUp(invocation, *options); };
  });
}

}  // namespace radix::cli
