// Replacing the key that opens the door to the group, in three phases.
//
// Each phase is an order to the sealed leader that names the key to rotate away from; so it can be
// given again, after whatever crash, and does nothing the second time.

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "clients/cli/lab.h"
#include "clients/cli/output.h"
#include "radix/flock/v1/flock.pb.h"
#include "services/confab/time.h"

namespace radix::cli {

struct RotationOptions {
  std::string phase;   // only this one: install, use or remove; empty: all
  std::string from;    // eight hex digits; empty: the current key
  bool force = false;  // goes on without those that have not acknowledged in time
  double timeout_s = 30;
};

class Rotation {
 public:
  Rotation(LabNode node, RotationOptions options);

  // Does what is left of it; says on stdout how far it is, if it is to `talk`. Aborted: nodes have
  // not acknowledged in time, which are named; those of the leader's answers.
  absl::Status Run(bool talk);

  // What came of it, as JSON: as far as it went, and how it stands.
  Json Outcome() const;

 private:
  struct Step;
  static const Step kSteps[];

  absl::Status AwaitEverybody();
  absl::Status Do(const Step& step);

  const LabNode node_;
  const RotationOptions options_;
  const Duration limit_;
  std::string from_;
  std::vector<std::string> done_;  // the steps
};

}  // namespace radix::cli
