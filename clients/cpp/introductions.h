// The keys with which this process calls others.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cpp/client_stream.h"
#include "clients/cpp/lasting_call.h"
#include "radix/trust/v1/pairing.grpc.pb.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/trust/pair.h"

namespace radix {

// Has endpoints let keys of this process in, by way of this node's reeve, for as long as they are
// used. Thread-safe.
class Introductions {
 public:
  // Leads to this object as long as it exists.
  struct Leash;

  explicit Introductions(const confab::Node& node);
  ~Introductions();

  // A key that was asked for. It is withdrawn when this is destroyed, on whatever thread, also
  // after the Introductions.
  class Introduced {
   public:
    Introduced(std::shared_ptr<Leash> leash, const KeyId& own)
        : leash_(std::move(leash)), own_(own) {}
    ~Introduced();
    Introduced(const Introduced&) = delete;
    Introduced& operator=(const Introduced&) = delete;

    // Whether the endpoint that lets it in shows that key.
    bool IsEndpoint(const KeyId& shown) const;

   private:
    const std::shared_ptr<Leash> leash_;
    const KeyId own_;
  };

  using OnDue = std::function<void(const absl::Status&)>;
  // Called once, on any thread; must not block.
  using Done = std::function<void(absl::StatusOr<std::shared_ptr<Introduced>>)>;

  static constexpr Duration kLimit = 5s;

  // A key is to be replaced by another after so long, or on demand: `on_due` says so, with OK; or
  // with the reason, when the endpoint is not to be called any more.
  static constexpr Duration kPeriod = 12h;

  // Asks that a key be let in. `done` is called when the endpoint does, or will not;
  // DeadlineExceeded, when nobody has said either for kLimit. Not called when this object is
  // destroyed before.
  void Ask(const trust::Pair& pair, Done done, OnDue on_due = nullptr);

 private:
  using Stream = ClientBidi<trust::v1::IntroduceRequest, trust::v1::IntroduceResponse>;
  struct Row {
    trust::Pair pair;
    Done done;                               // empty once it was called
    std::shared_ptr<Introduced> introduced;  // until then
    Instant overdue_at{};
    OnDue on_due;
    Instant due_at{};
    std::vector<KeyId> endpoint_keys;
  };

  struct Answer {
    Done done;
    std::shared_ptr<Introduced> introduced;
    absl::Status status;
  };

  static Answer AnswerOf(Row& row, const absl::Status& status);
  static void Give(const Answer& answer);
  void Withdraw(const KeyId& key);
  bool IsEndpoint(const KeyId& own, const KeyId& shown);
  void HandleBegin(Stream& stream);
  void HandleMessage(const trust::v1::IntroduceResponse& response);
  Instant Tick(Instant now);

  const confab::Node node_;
  const std::shared_ptr<Leash> leash_;
  std::mutex mutex_;
  std::map<KeyId, Row> rows_;
  std::string last_error_;  // of the way to reeve
  confab::TimerThread timer_;
  // Last: its thread uses the others. Begins with the first Ask: many processes call nobody.
  std::mutex call_mutex_;  // taken before mutex_
  std::unique_ptr<LastingCall<Stream, trust::v1::IntroduceResponse>> call_;
};

}  // namespace radix
