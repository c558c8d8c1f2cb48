// radix: brings labs up and down, and asks a node about its group.

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"

int main(int argc, char** argv) {
  using namespace radix::cli;  // NOLINT(google-build-using-namespace): this file is its main

  Invocation invocation;
  CLI::App app("Powers up a Radix datacenter on this machine, and asks it what it does.", "radix");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--state", invocation.state,
                 "The lab's folder. Default: RADIX_LAB, else the lab that was last up.");
  app.add_option("--node", invocation.node, "The node that is asked. Default: the lab's first.");
  app.add_option("-o,--output", invocation.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));

  CLI::App& lab = *app.add_subcommand("lab", "N nodes on this machine's loopback addresses");
  lab.require_subcommand(1);
  lab.fallthrough();
  AddLabUp(lab, invocation);
  AddLabDown(lab, invocation);
  AddLabStatus(lab, invocation);
  AddLabKill(lab, invocation);
  AddLabStart(lab, invocation);
  AddMembers(app, invocation);
  AddServices(app, invocation);
  AddGet(app, invocation);
  AddApply(app, invocation);
  AddStatus(app, invocation);
  AddPut(app, invocation);
  AddFetch(app, invocation);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);  // --help
  } catch (const CLI::RequiredError& error) {
    // A word that is no command is found out only as a command that is missing.
    const auto unknown = app.remaining(/*recurse=*/true);
    return FailUsage(absl::InvalidArgumentError(absl::StrCat(
        unknown.empty() ? error.what() : absl::StrCat("there is no command '", unknown[0], "'"),
        "; see `radix --help`")));
  } catch (const CLI::ParseError& error) {
    return FailUsage(
        absl::InvalidArgumentError(absl::StrCat(error.what(), "; see `radix --help`")));
  }
  return invocation.run();
}
