#include "services/proctor/acceptor.h"

namespace radix::proctor {

Acceptor::Step Acceptor::Prepare(std::int64_t epoch) const {
  if (epoch < state_.promised) return {Answer::kStale, std::nullopt};
  if (epoch == state_.promised) return {Answer::kPromised, std::nullopt};
  return {Answer::kPromised, AcceptorState{epoch, state_.document, state_.losses}};
}

Acceptor::Step Acceptor::Write(const Document& document) const {
  const bool unpromised = state_.losses > 0 && document.epoch > state_.promised;
  if (document.epoch < state_.promised || unpromised) return {Answer::kStale, std::nullopt};
  if (!document.IsIntact()) return {Answer::kCorrupt, std::nullopt};
  const Document& have = state_.document;
  if (document.epoch == have.epoch) {
    if (document.revision < have.revision) return {Answer::kStale, std::nullopt};
    if (document.revision == have.revision) {
      return {document.checksum == have.checksum ? Answer::kAccepted : Answer::kCorrupt,
              std::nullopt};
    }
  }
  return {Answer::kAccepted, AcceptorState{document.epoch, document, 0}};
}

}  // namespace radix::proctor
