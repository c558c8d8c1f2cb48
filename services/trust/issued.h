// Keys that operators were given.

#pragma once

namespace radix::trust {

// How a group keeps whom its operators gave keys: decisions of this kind, by `key/` and 64 hex
// digits, with a radix.trust.v1.IssuedKey. For people: nobody is let in by it.
inline constexpr char kIssuedKind[] = "issued";

}  // namespace radix::trust
