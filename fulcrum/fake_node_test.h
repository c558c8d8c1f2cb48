// A node whose services are stand-ins, for tests of the supervisor; its picket is the real one.
//
// The test binary is also the node: started as `TEST node DIR` it is the supervisor, and the
// supervisor runs `TEST SERVICE ...` as it would run `fulcrum SERVICE ...`. How a stand-in behaves
// is said by a file, STATE/SERVICE.does: `crash`, `stubborn`; and flock's sends every line of the
// datagrams that reach STATE/flock.in to the supervisor, as it is.

#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "radix/picket/v1/picket.grpc.pb.h"
#include "services/confab/time.h"

namespace radix::fulcrum {

// If this process is to be a node or a service of one, is it and returns true, its exit status in
// `status`.
bool PlayPart(int argc, char** argv, int& status);

// One such node. Ends it, and removes its folder, when destroyed.
class FakeNode {
 public:
  FakeNode();
  ~FakeNode();
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;

  const std::filesystem::path& state() const { return state_; }
  pid_t pid() const { return pid_; }

  // Has the stand-in of `service` behave so from its next start on; "" for well.
  void Have(const std::string& service, const std::string& behaviour) const;

  // Starts it and waits until picket serves; or does not wait.
  void Start();
  void Launch();

  // Has flock's stand-in send `message` to the supervisor, as it is.
  void Say(const std::string& message) const;

  // The process that is `service`; 0 while there is none.
  pid_t Find(const std::string& service) const;

  // Sends a signal to the supervisor and waits for its end, at most 30 s. The status as wait(2)
  // gives it; -1 when it did not end.
  int End(int signal);

  // A program of others: a shell script in the state folder, with what it does. Returns its path.
  std::string Script(const std::string& name, const std::string& text) const;

  // Asks picket to start, to stop, and to describe a plugin; one that it does not know has no id.
  grpc::Status StartPlugin(const std::string& id, const std::string& file,
                           const std::vector<std::string>& args = {}, std::int64_t epoch = 1) const;
  grpc::Status StopPlugin(const std::string& id, std::int32_t grace_seconds) const;
  picket::v1::Plugin Plugin(const std::string& id) const;

  // The text of STATE/log/NAME.log; of the supervisor's own, "fulcrum".
  std::string Log(const std::string& name) const;

  // Every process that has RADIX_SUPERVISOR_STATE or `--state` of this node.
  std::vector<pid_t> Processes() const;

 private:
  std::unique_ptr<picket::v1::PicketService::Stub> Picket() const;

  std::filesystem::path state_;
  pid_t pid_ = 0;
};

// Waits, looking every few milliseconds, until `condition` holds; false after `limit`.
bool Eventually(const std::function<bool()>& condition, Duration limit = 20s);

// Whether that process has ended, reaped or not.
bool IsGone(pid_t pid);

pid_t ParentOf(pid_t pid);

// Its arguments, each with a zero byte behind it.
std::string CommandLineOf(pid_t pid);

// The descriptors that a process has open.
std::vector<int> DescriptorsOf(pid_t pid);

}  // namespace radix::fulcrum
