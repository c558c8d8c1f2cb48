// The acceptor and its disk: an answer leaves only when what it rests on is durable.

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "services/confab/backoff.h"
#include "services/confab/time.h"
#include "services/proctor/acceptor.h"
#include "services/proctor/desired_store_driver.h"

namespace radix::proctor {

// Opens the store, again and again with back-off while that fails. What is damaged under its feet
// is written anew from memory, which holds what the disk had last. Not thread-safe.
class DurableAcceptor {
 public:
  // `path` is the database; `seed` spreads the attempts to open it.
  DurableAcceptor(std::filesystem::path path, std::uint64_t seed)
      : path_(std::move(path)), random_(seed) {}

  // Opens the store if that is due. Returns when to come again; Instant::max() while it is open.
  Instant Tick(Instant now);

  bool is_open() const { return store_ != nullptr; }

  // Promises `epoch`. False, and logged, when it may not or the disk does not take it.
  bool Prepare(std::int64_t epoch);

  // Keeps `document`. Returns why not; empty when it is on disk.
  std::string Write(const Document& document);

  // What it has; empty before the store was open for the first time.
  const Document& document() const { return acceptor_ ? acceptor_->document() : none_; }
  int losses() const { return acceptor_ ? acceptor_->losses() : 0; }

 private:
  absl::Status Open();
  bool Persist(const Acceptor::Step& step);

  const std::filesystem::path path_;
  Random random_;
  std::unique_ptr<DesiredStore> store_;  // null while it cannot be opened
  std::optional<Acceptor> acceptor_;     // set once it was
  const Document none_;
  std::string problem_;  // logged when it changes
  Instant again_at_;
  Backoff backoff_{500ms, 10s};
};

}  // namespace radix::proctor
