#include "services/proctor/durable_acceptor_driver.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::proctor {

Instant DurableAcceptor::Tick(Instant now) {
  if (store_ != nullptr) return Instant::max();
  if (now < again_at_) return again_at_;
  if (absl::Status opened = Open(); !opened.ok()) {
    const std::string problem(opened.message());
    if (problem != problem_) {
      spdlog::error("cannot keep the group's decisions, so this node takes no part in them: {}",
                    problem);
    }
    problem_ = problem;
    again_at_ = now + backoff_.Next(random_);
    return again_at_;
  }
  problem_.clear();
  backoff_.Reset();
  if (losses() > 0) {
    spdlog::warn(
        "does not know what it had of the group's decisions, so it counts for nothing in them "
        "until a leader has sent them again");
  } else {
    spdlog::info("has revision {} of epoch {} on disk", document().revision, document().epoch);
  }
  return Instant::max();
}

absl::Status DurableAcceptor::Open() {
  auto store = DesiredStore::Open(path_);
  if (!store.ok()) return store.status();
  if (!(*store)->set_aside().empty()) {
    spdlog::error("the group's decisions on this node's disk were damaged: {}",
                  (*store)->set_aside());
  }
  if (acceptor_) {
    if (absl::Status saved = (*store)->Save(acceptor_->state()); !saved.ok()) return saved;
  } else {
    acceptor_.emplace((*store)->loaded());
  }
  store_ = *std::move(store);
  return absl::OkStatus();
}

bool DurableAcceptor::Prepare(std::int64_t epoch) {
  if (!acceptor_) return false;
  const Acceptor::Step step = acceptor_->Prepare(epoch);
  if (step.answer == Acceptor::Answer::kPromised) return Persist(step);
  spdlog::error("granted epoch {}, but promised {} before", epoch, acceptor_->promised());
  return false;
}

std::string DurableAcceptor::Write(const Document& document) {
  if (!acceptor_) return "the disk is not open yet";
  const Acceptor::Step step = acceptor_->Write(document);
  if (step.answer != Acceptor::Answer::kAccepted) {
    return absl::StrCat("promised epoch ", acceptor_->promised(), ", has revision ",
                        acceptor_->document().revision);
  }
  const bool again = acceptor_->losses() > 0;
  if (!Persist(step)) return "the disk does not take it";
  if (again) spdlog::info("has the group's decisions again");
  return "";
}

// Whether the answer of `step` may leave.
bool DurableAcceptor::Persist(const Acceptor::Step& step) {
  if (!step.persist) return true;
  if (store_ == nullptr) return false;
  if (absl::Status saved = store_->Save(*step.persist); !saved.ok()) {
    spdlog::error("not on disk: {}", std::string(saved.message()));
    if (absl::IsDataLoss(saved)) store_ = nullptr;  // to be set aside and written anew
    return false;
  }
  acceptor_->Commit(*step.persist);
  return true;
}

}  // namespace radix::proctor
