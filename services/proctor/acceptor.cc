#include "services/proctor/acceptor.h"

namespace radix::proctor {

Acceptor::Step Acceptor::Prepare(std::int64_t epoch) const {
  if (epoch < state_.promised) return {Answer::kStale, std::nullopt};
  if (epoch == state_.promised) return {Answer::kPromised, std::nullopt};
  return {Answer::kPromised, AcceptorState{epoch, state_.document}};
}

Acceptor::Step Acceptor::Write(const Document& document) const {
  if (document.epoch < state_.promised) return {Answer::kStale, std::nullopt};
  if (!document.IsIntact()) return {Answer::kCorrupt, std::nullopt};
  const Document& have = state_.document;
  if (document.epoch == have.epoch) {
    if (document.revision < have.revision) return {Answer::kStale, std::nullopt};
    if (document.revision == have.revision) {
      return {document.checksum == have.checksum ? Answer::kAccepted : Answer::kCorrupt,
              std::nullopt};
    }
  }
  return {Answer::kAccepted, AcceptorState{document.epoch, document}};
}

}  // namespace radix::proctor
