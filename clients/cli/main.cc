// radix: brings labs up and down, and asks a node about its group.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/output.h"
#include "clients/cli/standard_streams.h"
#include "clients/cli/verbs.h"

namespace {

// Every command takes what they share, but CLI11 lists it only at the top.
void MentionWhatIsShared(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands({})) {
    verb->footer("Also takes --state, --node and --output: see `radix --help`.");
    MentionWhatIsShared(*verb);
  }
}

// The command that was meant, as far as it was understood, for example "radix lab kill".
std::string Meant(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app.get_name() : absl::StrCat(app.get_name(), " ", Meant(*parsed[0]));
}

}  // namespace

int main(int argc, char** argv) {
  using namespace radix::cli;  // NOLINT(google-build-using-namespace): this file is its main

  TakeMissingStreams();
  Invocation invocation;
  CLI::App app("Powers up a Radix datacenter on this machine, and asks it what it does.", "radix");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "radix " RADIX_VERSION);
  app.add_option("--state", invocation.state,
                 "The lab's folder. Default: RADIX_LAB, else the lab that was last up.");
  app.add_option("--node", invocation.node, "The node that is asked. Default: the lab's first.");
  app.add_option("-o,--output", invocation.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));

  AddLab(app, invocation);
  AddFlock(app, invocation);
  AddKeys(app, invocation);
  AddRules(app, invocation);
  AddHorde(app, invocation);
  AddMembers(app, invocation);
  AddServices(app, invocation);
  AddGet(app, invocation);
  AddApply(app, invocation);
  AddStatus(app, invocation);
  AddPut(app, invocation);
  AddFetch(app, invocation);
  MentionWhatIsShared(app);

  try {
    app.parse(argc, argv);
    return FlushOutput(invocation.run());
  } catch (const CLI::Success& done) {
    return FlushOutput(app.exit(done));  // --help, --version
  } catch (const CLI::RequiredError& error) {
    // A word that is no command is found out only as a command that is missing.
    const auto unknown = app.remaining(/*recurse=*/true);
    return FailUsage(absl::InvalidArgumentError(absl::StrCat(
        unknown.empty() ? error.what() : absl::StrCat("there is no command '", unknown[0], "'"),
        "; see `", Meant(app), " --help`")));
  } catch (const CLI::ParseError& error) {
    return FailUsage(
        absl::InvalidArgumentError(absl::StrCat(error.what(), "; see `", Meant(app), " --help`")));
  } catch (const std::filesystem::filesystem_error& error) {
    return Fail(absl::FailedPreconditionError(error.what()));  // the current folder was removed
  }
}
