// fulcrum: brings a node up; or, as `fulcrum <service>`, runs one service in this process.

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "fulcrum/boot.h"
#include "fulcrum/built_in.h"
#include "fulcrum/launch.h"
#include "fulcrum/node_options.h"
#include "fulcrum/usage.h"
#include "services/confab/charter_file.h"
#include "services/confab/parent.h"

namespace {

int Complain(const absl::Status& status, int exit_status) {
  std::fprintf(stderr, "fulcrum: %s\n", std::string(status.message()).c_str());
  return exit_status;
}

int Usage(const std::string& problem) {
  std::fprintf(stderr, "fulcrum: %s\n%s", problem.c_str(), radix::fulcrum::kUsage);
  return 2;
}

// Whether a verb was given the one file that it takes; what looks like a flag is none.
bool HasOneFile(int argc, char** argv) {
  return argc == 2 && argv[1][0] != '\0' && !std::string_view(argv[1]).starts_with("-");
}

int Check(int argc, char** argv) {
  if (!HasOneFile(argc, argv)) return Usage("check takes one charter");
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(argv[1], error);
  if (error) return Complain(absl::ErrnoToStatus(error.value(), argv[1]), 1);
  const auto charter = radix::confab::LoadCharter(path);
  if (!charter.ok()) return Complain(charter.status(), 1);
  const auto keys = radix::confab::LoadKeys(path, *charter);
  if (!keys.ok()) return Complain(keys.status(), 1);
  std::printf("%s: valid: bloc %s, %u slots (%s), port %u, at_most %u, quorum %u, %zu key(s)\n",
              argv[1], charter->bloc.c_str(), charter->ranges.size(),
              charter->ranges.ToString().c_str(), charter->port, charter->at_most, charter->quorum,
              keys->size());
  return 0;
}

int MakeKey(int argc, char** argv) {
  if (!HasOneFile(argc, argv)) return Usage("keygen takes one file");
  const absl::Status made = radix::confab::MakeKeyFile(argv[1]);
  return made.ok() ? 0 : Complain(made, 1);
}

int BootNode(int argc, char** argv) {
  const auto flags = radix::fulcrum::ParseNodeFlags(argc, argv);
  if (!flags.ok()) return Complain(flags.status(), 2);
  const auto node = radix::fulcrum::ResolveNode(*flags);
  return node.ok() ? radix::fulcrum::Boot(*node) : Complain(node.status(), 1);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "launch") return radix::fulcrum::Launch(argc - 1, argv + 1);
  if (auto* run = radix::fulcrum::FindBuiltIn(verb)) {
    radix::confab::BeginService(verb.c_str());
    return run(argc - 1, argv + 1);
  }
  if (verb == "check") return Check(argc - 1, argv + 1);
  if (verb == "keygen") return MakeKey(argc - 1, argv + 1);
  if (verb == "--help" || verb == "-h" || verb == "help")
    return std::fputs(radix::fulcrum::kUsage, stdout) < 0;
  if (verb == "--version") return std::puts("fulcrum " RADIX_VERSION) < 0;
  if (verb.starts_with("--")) return BootNode(argc, argv);
  return Usage(verb.empty() ? "it has to be told what to do" : "there is no '" + verb + "'");
}
