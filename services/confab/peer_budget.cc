#include "services/confab/peer_budget.h"

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::confab {
namespace {

std::string NameOf(const KeyId& key) { return "key " + key.ToString(); }
std::string NameOf(const std::string& host) { return "host " + host; }

std::size_t IndexOf(Use use) { return static_cast<std::size_t>(use); }

const char* Describe(Use use) {
  switch (use) {
    case Use::kConnections:
      return "connections";
    case Use::kStrangers:
      return "handshakes that are not done";
    case Use::kResets:
      return "calls without an answer";
    case Use::kStreams:
      return "open calls";
    case Use::kStray:
      return "bytes that are no part of a call or a message";
  }
  return "";
}

const char* Describe(Excess::Whose whose) {
  switch (whose) {
    case Excess::Whose::kKey:
      return "one key";
    case Excess::Whose::kHost:
      return "one host";
    case Excess::Whose::kAll:
      return "all callers together";
  }
  return "";
}

// Of those that hold a network's part of an IPv6 address.
constexpr std::size_t kNetworkBytes = 8;

std::int64_t Whole(double number) { return static_cast<std::int64_t>(number); }

// Gives back what time gives back.
template <typename Account>
void Settle(Account& account, const Allowances& allowances, Instant now) {
  const double seconds = std::chrono::duration<double>(now - account.counted_at).count();
  account.counted_at = now;
  for (std::size_t i = 0; i < allowances.size(); ++i) {
    account.used[i] = std::max(0.0, account.used[i] - seconds * allowances[i].per_second);
  }
}

// Returns whether that is more than allowed.
template <typename Account>
bool Book(Account& account, const Allowances& allowances, Use use, double amount, Instant now) {
  Settle(account, allowances, now);
  const Allowance& allowance = allowances[IndexOf(use)];
  double& used = account.used[IndexOf(use)];
  used = std::max(0.0, used + amount);
  if (allowance.most == 0 || used <= allowance.most) return false;
  // The rest is forgotten where time pays it off: it would do so for longer than anybody is shut
  // out. Where the peer gives it back, it has to add up.
  if (allowance.per_second > 0) used = allowance.most;
  return true;
}

absl::Status ShutOut(Duration left) {
  return absl::ResourceExhaustedError(
      absl::StrCat("it used up too much, and is shut out for another ", left / 1ms, " ms"));
}

absl::Status TooMuch(Excess::Whose whose, Use use, const Allowances& allowances) {
  return absl::ResourceExhaustedError(Excess{whose, use, allowances[IndexOf(use)], 0ns}.ToString());
}

}  // namespace

std::string HostOf(const IpAddress& address) {
  if (address.is_v4()) return address.ToString();
  IpAddress network;
  std::copy_n(address.bytes.begin(), kNetworkBytes, network.bytes.begin());
  return network.ToString() + "/64";
}

std::string Excess::ToString() const {
  std::string text = absl::StrCat(Describe(use), ": more than ", Whole(allowance.most), " at once");
  if (allowance.per_second > 0) {
    absl::StrAppend(&text, " and ", Whole(allowance.per_second), " a second");
  }
  absl::StrAppend(&text, " of ", Describe(whose));
  if (barred > 0ns) absl::StrAppend(&text, "; shut out for ", barred / 1s, " s");
  return text;
}

absl::Status PeerBudget::HearHost(const std::string& host, Instant now) const {
  const Account* found = Find(NameOf(host));
  if (found == nullptr) return absl::OkStatus();
  if (found->barred_until > now) return ShutOut(found->barred_until - now);
  Account account = *found;
  Settle(account, options_.host, now);
  const Allowance& strangers = options_.host[IndexOf(Use::kStrangers)];
  if (strangers.most == 0 || account.used[IndexOf(Use::kStrangers)] + 1 <= strangers.most) {
    return absl::OkStatus();
  }
  return TooMuch(Excess::Whose::kHost, Use::kStrangers, options_.host);
}

absl::Status PeerBudget::AdmitHost(const std::string& host, Instant now) {
  if (absl::Status heard = HearHost(host, now); !heard.ok()) return heard;
  Settle(all_, options_.all, now);
  const double most = options_.all[IndexOf(Use::kConnections)].most;
  const double for_it = Knows(host) ? most : most * (1 - options_.for_known);
  if (most > 0 && all_.used[IndexOf(Use::kConnections)] + 1 > for_it) {
    const absl::Status reason = TooMuch(Excess::Whose::kAll, Use::kConnections, options_.all);
    return absl::UnavailableError(std::string(reason.message()));
  }
  Account& account = AccountOf(NameOf(host), now);
  if (Book(account, options_.host, Use::kConnections, 1, now)) {
    return TooMuch(Excess::Whose::kHost, Use::kConnections, options_.host);
  }
  Book(all_, options_.all, Use::kConnections, 1, now);
  Book(account, options_.host, Use::kStrangers, 1, now);
  return absl::OkStatus();
}

void PeerBudget::HandleLetIn(const std::string& host, Instant now) {
  Account& account = AccountOf(NameOf(host), now);
  Book(account, options_.host, Use::kStrangers, -1, now);
  if (!std::exchange(account.known, true)) ++known_;
}

bool PeerBudget::Knows(const std::string& host) const {
  const Account* found = Find(NameOf(host));
  return found != nullptr && found->known;
}

absl::Status PeerBudget::AdmitKey(const KeyId& key, Instant now) {
  Account& account = AccountOf(NameOf(key), now);
  if (account.barred_until > now) return ShutOut(account.barred_until - now);
  if (!Book(account, options_.key, Use::kConnections, 1, now)) return absl::OkStatus();
  return TooMuch(Excess::Whose::kKey, Use::kConnections, options_.key);
}

std::optional<Excess> PeerBudget::Charge(const Peer& peer, Use use, double amount, Instant now) {
  std::optional<Excess> excess;
  if (peer.key) {
    Account& account = AccountOf(NameOf(*peer.key), now);
    if (Book(account, options_.key, use, amount, now)) {
      excess = {Excess::Whose::kKey, use, options_.key[IndexOf(use)], Bar(account, now)};
    }
  }
  Account& host = AccountOf(NameOf(peer.host), now);
  if (Book(host, options_.host, use, amount, now) && !excess) {
    excess = {Excess::Whose::kHost, use, options_.host[IndexOf(use)], Bar(host, now)};
  }
  if (Book(all_, options_.all, use, amount, now) && !excess) {
    excess = {Excess::Whose::kAll, use, options_.all[IndexOf(use)], 0ns};
  }
  return excess;
}

void PeerBudget::HandleEnd(const Peer& peer, double streams, double stray, Instant now) {
  Charge(peer, Use::kStreams, -streams, now);
  Book(all_, options_.all, Use::kStray, -stray, now);
}

bool PeerBudget::IsBarred(const KeyId& key, Instant now) const {
  const Account* found = Find(NameOf(key));
  return found != nullptr && found->barred_until > now;
}

const PeerBudget::Account* PeerBudget::Find(const std::string& name) const {
  const auto found = accounts_.find(name);
  return found == accounts_.end() ? nullptr : &found->second;
}

PeerBudget::Account& PeerBudget::AccountOf(const std::string& name, Instant now) {
  const auto found = accounts_.find(name);
  if (found != accounts_.end()) return found->second;
  if (accounts_.size() >= options_.accounts_max) MakeRoom(now);
  Account& account = accounts_[name];
  account.counted_at = now;
  return account;
}

// Nothing is counted of who is shut out, so that its time stands still. Where too many are known,
// being known counts for nothing: the accounts of strangers would last for no time at all.
void PeerBudget::MakeRoom(Instant now) {
  const bool known_count = known_ <= options_.accounts_max / 2;
  const auto least = std::ranges::min_element(accounts_, {}, [&](const auto& each) {
    const Account& account = each.second;
    const Instant barred_until = std::max(account.barred_until, now);
    return std::tuple(barred_until, known_count && account.known, account.counted_at);
  });
  if (least->second.known) --known_;
  accounts_.erase(least);
}

Duration PeerBudget::Bar(Account& account, Instant now) const {
  // What comes of it while it is shut out is of the same time.
  if (account.barred_until > now) return account.bar;
  const bool forgiven = now - account.barred_until >= options_.forgiven_after;
  account.bar = forgiven ? options_.first_bar
                         : std::clamp(2 * account.bar, options_.first_bar, options_.most_bar);
  account.barred_until = now + account.bar;
  return account.bar;
}

}  // namespace radix::confab
