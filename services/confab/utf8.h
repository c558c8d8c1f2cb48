// What can be told as JSON.

#pragma once

#include <string>

namespace radix::confab {

// Whether the bytes are UTF-8. A path that is not cannot be told to a plugin, or printed as JSON.
bool IsUtf8(const std::string& bytes);

}  // namespace radix::confab
