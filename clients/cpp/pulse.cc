#include "clients/cpp/pulse.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "services/confab/parent.h"

namespace radix {
namespace {

constexpr Duration kPulsePeriod = 1s;

}  // namespace

struct Pulse::State {
  explicit State(ProveAlive how) : prove(std::move(how)) {}

  const ProveAlive prove;
  std::mutex mutex;
  std::condition_variable proved;
  bool under_way = false;  // from a tick until its answer
  bool proving = false;    // `prove` is being called
  bool ended = false;

  // The server has answered itself. Static, because the call may end later than the Pulse.
  static void HandleAnswer(const std::shared_ptr<State>& state, bool answered);
  void HandleProof();
};

void Pulse::State::HandleAnswer(const std::shared_ptr<State>& state, bool answered) {
  {
    const std::lock_guard lock(state->mutex);
    if (state->ended) return;
    state->under_way = answered;  // otherwise the next tick asks again
    if (!answered) return;
    state->proving = true;
  }
  const auto alive = [state] { state->HandleProof(); };
  if (state->prove) {
    state->prove(alive);
  } else {
    alive();
  }
  const std::lock_guard lock(state->mutex);
  state->proving = false;
  state->proved.notify_all();
}

void Pulse::State::HandleProof() {
  const std::lock_guard lock(mutex);
  if (ended || !under_way) return;
  under_way = false;
  confab::NotifyAlive();
}

Pulse::Pulse(confab::Server& server, ProveAlive prove)
    : server_(server),
      state_(std::make_shared<State>(std::move(prove))),
      timer_([this](Instant now) { return Tick(now); }) {}

Pulse::~Pulse() {
  std::unique_lock lock(state_->mutex);
  state_->ended = true;
  state_->proved.wait(lock, [this] { return !state_->proving; });
}

Instant Pulse::Tick(Instant now) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->ended || std::exchange(state_->under_way, true)) return now + kPulsePeriod;
  }
  server_.CheckItself([state = state_](bool answered) { State::HandleAnswer(state, answered); });
  return now + kPulsePeriod;
}

}  // namespace radix
