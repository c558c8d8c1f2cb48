// A lab: N nodes of one bloc on this machine, as it lies on disk. They have its loopback addresses,
// or a network namespace each.
//
//   DIR/charter.yaml  DIR/secondary.key  DIR/lab.json  DIR/NODE/{pid, *.sock, log/, ...}

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace radix::cli {

// One node of a lab.
struct LabNode {
  std::string name;     // n1, n2, ...
  std::string address;  // without a port
  std::vector<std::string> labels;
  std::filesystem::path state;  // DIR/NODE
};

constexpr char kLoopbackRange[] = "127.88.0.0/24";
constexpr char kNetnsRange[] = "10.88.0.0/24";

// What a lab is made from.
struct LabPlan {
  std::filesystem::path state;  // absolute
  int nodes = 5;
  std::string range = kLoopbackRange;
  int port = 7117;
  bool netns = false;       // a network namespace for each node; see lab_network.h
  bool flock_only = false;  // --services none
  int loss = 0;             // percent of all datagrams; only with netns
  // `NODE:LABEL` texts.
  std::vector<std::string> labels;
};

// A lab that is on disk; it need not run.
struct Lab {
  std::filesystem::path state;  // absolute
  std::string range;
  int port = 0;
  bool netns = false;
  bool flock_only = false;
  int loss = 0;
  std::vector<LabNode> nodes;

  std::filesystem::path charter() const { return state / "charter.yaml"; }

  // The node called `name`. NotFound, with the names there are.
  absl::StatusOr<LabNode> Node(const std::string& name) const;
};

// Checks a plan and turns it into a lab, without touching the disk. InvalidArgument for what can
// never be (the message begins with the flag), FailedPrecondition for what does not fit: more nodes
// than the range has addresses, a path too long for a Unix socket.
absl::StatusOr<Lab> PlanLab(const LabPlan& plan);

// Reads the lab at `state`. NotFound when there is none, DataLoss when lab.json is damaged.
absl::StatusOr<Lab> LoadLab(const std::filesystem::path& state);

// The nodes of a lab whose lab.json is damaged, as their folders tell: enough to end them, no more.
std::vector<LabNode> NodesLeftIn(const std::filesystem::path& state);

// Makes the lab's folder, mode 0700, unless it is there. FailedPrecondition when it is somebody
// else's or open to others.
absl::Status MakePlace(const std::filesystem::path& state);

// Writes the lab's files into its folder: one of mode 0700 for each node, the charter, lab.json,
// and a secondary key unless there is one. FailedPrecondition when the folder holds something that
// is no lab. A lab that had more nodes before is made anew: two of its nodes could have decided
// things that the remaining ones do not know.
absl::Status WriteLab(const Lab& lab);

// Which lab is meant: `flag` (--state), else RADIX_LAB, else the one last recorded. Empty when none
// of them says.
std::filesystem::path FindLab(const std::string& flag);

// Where a new lab goes that nobody named a place for: ${XDG_RUNTIME_DIR:-/tmp}/radix-lab-UID.
std::filesystem::path DefaultLabPlace();

// Remembers a lab as the last one, and forgets it.
absl::Status RecordLab(const std::filesystem::path& state);
void ForgetLab(const std::filesystem::path& state);

}  // namespace radix::cli
