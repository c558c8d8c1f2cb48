// Runs a fuzz target without a fuzzer: over a folder of kept inputs, and then over so many that are
// made of them. The same command runs the same inputs on every machine.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "services/confab/random.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// There in programs built with a sanitizer only.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

namespace fs = std::filesystem;
using Input = std::vector<std::uint8_t>;

// An input that takes longer hangs.
constexpr unsigned kSecondsMax = 120;

std::string running;  // which input it is

void SayWhichInput() { static_cast<void>(write(STDERR_FILENO, running.data(), running.size())); }

extern "C" void HandleFatal(int signal_number) {
  SayWhichInput();
  std::signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void Run(const Input& input, const std::string& what) {
  running = "fuzz: that was " + what + "\n";
  alarm(kSecondsMax);
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

std::vector<fs::path> FilesOf(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

Input Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs kept inputs, and inputs made of them.");
  std::string corpus;
  std::uint64_t seed = 1;
  std::uint64_t first = 0;
  std::uint64_t iterations = 0;
  std::string output;
  app.add_option("corpus", corpus, "a folder of inputs, or one")
      ->required()
      ->check(CLI::ExistingPath);
  app.add_option("--seed", seed, "of all inputs that are made");
  app.add_option("--first", first, "the number of the first input that is made");
  app.add_option("--iterations", iterations, "how many are made");
  app.add_option("--write", output, "a file for the last input that is made, before it is run");
  CLI11_PARSE(app, argc, argv);

  for (const int fatal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) {
    std::signal(fatal, HandleFatal);
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(SayWhichInput);

  const auto files =
      fs::is_directory(corpus) ? FilesOf(corpus) : std::vector<fs::path>{fs::path(corpus)};
  std::vector<Input> inputs;
  for (const fs::path& file : files) {
    inputs.push_back(Read(file));
    if (first == 0) Run(inputs.back(), file.string());
  }
  if (inputs.empty()) {
    std::cerr << "fuzz: " << corpus << " holds no inputs; fuzz_corpus makes them\n";
    return 2;
  }
  if (const std::string missing = radix::fuzz::MissingFrom(inputs);
      fs::is_directory(corpus) && !missing.empty()) {
    std::cerr
        << "fuzz: " << corpus << " holds " << missing
        << ": these inputs are of another version; `fuzz_corpus tests/fuzz/corpus` makes them "
           "anew\n";
    return 2;
  }
  for (std::uint64_t i = first; i < first + iterations; ++i) {
    radix::Random random(seed * 0x9e3779b97f4a7c15 + i);
    const Input input = radix::fuzz::Mutate(inputs, random);
    if (!output.empty()) {
      std::ofstream(output, std::ios::binary)
          .write(reinterpret_cast<const char*>(input.data()),
                 static_cast<std::streamsize>(input.size()));
    }
    Run(input, "input " + std::to_string(i) + " of seed " + std::to_string(seed) +
                   "; once more: --seed " + std::to_string(seed) + " --first " + std::to_string(i) +
                   " --iterations 1 --write FILE");
  }
  std::cout << files.size() << " kept inputs, " << iterations << " made of them\n";
  return 0;
}
