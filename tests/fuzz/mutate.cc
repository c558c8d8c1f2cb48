#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace radix::fuzz {
namespace {

using Input = std::vector<std::uint8_t>;

// Where lengths, counters and enumerations go wrong.
constexpr std::array<std::uint8_t, 12> kInteresting = {0,  1,  2,   7,   8,   15,
                                                       16, 63, 127, 128, 254, 255};

std::ptrdiff_t Place(const Input& input, Random& random) {
  return static_cast<std::ptrdiff_t>(random.Below(input.size() + 1));
}

// A random piece of `input`, mostly short.
Input Piece(const Input& input, Random& random) {
  if (input.empty()) return {};
  const std::size_t at = random.Below(input.size());
  const std::size_t longest = random.Below(4) == 0 ? 512 : 24;
  const std::size_t size = 1 + random.Below(std::min(longest, input.size() - at));
  const auto start = input.begin() + static_cast<std::ptrdiff_t>(at);
  return {start, start + static_cast<std::ptrdiff_t>(size)};
}

void Insert(const Input& piece, Input& input, Random& random) {
  input.insert(input.begin() + Place(input, random), piece.begin(), piece.end());
}

void Erase(Input& input, Random& random) {
  const std::size_t size = Piece(input, random).size();
  const std::size_t at = random.Below(input.size() - size + 1);
  const auto start = input.begin() + static_cast<std::ptrdiff_t>(at);
  input.erase(start, start + static_cast<std::ptrdiff_t>(size));
}

void Overwrite(const Input& piece, Input& input, Random& random) {
  const std::size_t at = random.Below(input.size());
  const std::size_t size = std::min(piece.size(), input.size() - at);
  std::copy_n(piece.begin(), size, input.begin() + static_cast<std::ptrdiff_t>(at));
}

void ChangeOnce(const std::vector<Input>& corpus, Input& input, Random& random) {
  if (input.empty()) input.push_back(0);
  std::uint8_t& byte = input[random.Below(input.size())];
  const Input& other = corpus[random.Below(corpus.size())];
  switch (random.Below(9)) {
    case 0:
      byte ^= static_cast<std::uint8_t>(1U << random.Below(8));
      return;
    case 1:
      byte = kInteresting[random.Below(kInteresting.size())];
      return;
    case 2:
      byte = static_cast<std::uint8_t>(random.Next());
      return;
    case 3:
      byte = static_cast<std::uint8_t>(byte + random.Below(9) - 4);
      return;
    case 4:
      Erase(input, random);
      return;
    case 5:
      Insert(Piece(input, random), input, random);
      return;
    case 6:
      Insert(Piece(other, random), input, random);
      return;
    case 7:
      Overwrite(Piece(other, random), input, random);
      return;
    default:  // the one, and then the other
      if (other.size() > 1) input.insert(input.end(), other.begin() + 1, other.end());
      return;
  }
}

}  // namespace

Input Mutate(const std::vector<Input>& corpus, Random& random) {
  Input input = corpus[random.Below(corpus.size())];
  for (std::uint64_t changes = 1 + random.Below(8); changes > 0; --changes) {
    ChangeOnce(corpus, input, random);
  }
  if (input.size() > kInputMax) input.resize(kInputMax);
  return input;
}

}  // namespace radix::fuzz
