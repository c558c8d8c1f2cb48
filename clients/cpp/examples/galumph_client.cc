// Calls galumph without pause through Connect, and counts what happens to the calls.

#include <poll.h>
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "clients/cpp/connect.h"
#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/log.h"

namespace {

struct Counts {
  std::uint64_t calls = 0;
  std::map<std::string, std::uint64_t> insts;   // answered by
  std::map<std::string, std::uint64_t> errors;  // failed with; the first 100 kinds
  std::optional<double> first_ms;               // from nothing at all to the first answer

  void Add(const grpc::Status& status, const std::string& inst) {
    ++calls;
    if (status.ok()) {
      ++insts[inst];
    } else if (errors.size() < 100 || errors.count(status.error_message()) != 0) {
      // The first of a kind at once, for whoever looks on.
      if (++errors[status.error_message()] == 1) {
        std::cerr << "a call failed: " << status.error_message() << std::endl;
      }
    } else {
      ++errors["others"];
    }
  }
};

// Waits for SIGTERM or SIGINT, which must be blocked, at most `seconds`; 0: for ever.
void AwaitEnd(const sigset_t& signals, int seconds) {
  pollfd stop{signalfd(-1, &signals, SFD_CLOEXEC), POLLIN, 0};
  poll(&stop, 1, seconds == 0 ? -1 : seconds * 1000);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Calls galumph2 without pause; prints counts as JSON at the end, and how calls fail to "
      "stderr.");
  std::string state;
  std::string inst;
  int threads = 8;
  int seconds = 0;
  app.add_option("--state", state, "the node's state folder; default: RADIX_STATE")
      ->envname("RADIX_STATE")
      ->required();
  app.add_option("--inst", inst, "stay with this instance; default: the best of galumph2");
  app.add_option("--threads", threads, "how many call at once")->check(CLI::Range(1, 64));
  app.add_option("--seconds", seconds, "then end; default: at SIGTERM")
      ->check(CLI::Range(1, 86400));
  CLI11_PARSE(app, argc, argv);
  radix::confab::StartLog("galumph_client");  // to stderr: what is printed here is for programs

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  const radix::Selector selector{.api = inst.empty() ? "galumph2" : "", .inst = inst};
  const auto galumph = radix::Connect<galumph::v2::Galumph>(radix::Network::At(state), selector);

  std::mutex mutex;
  Counts counts;
  std::atomic<bool> ending = false;
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i) {
    callers.emplace_back([&] {
      galumph::v2::RegisterRequest request;
      request.set_beast("jabberwock");
      while (!ending) {
        grpc::ClientContext context;
        galumph::v2::RegisterResponse reply;
        const grpc::Status status = galumph->Register(&context, request, &reply);
        const std::lock_guard lock(mutex);
        counts.Add(status, reply.inst());
        if (status.ok() && !counts.first_ms) {
          counts.first_ms = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
        }
      }
    });
  }
  AwaitEnd(signals, seconds);
  ending = true;
  for (std::thread& caller : callers) caller.join();

  std::uint64_t failed = 0;
  for (const auto& [message, count] : counts.errors) failed += count;
  std::cout << nlohmann::json{{"calls", counts.calls},
                              {"failed", failed},
                              {"rebinds", galumph.rebinds()},
                              {"insts", counts.insts},
                              {"first_ms", counts.first_ms.value_or(-1)},
                              {"errors", counts.errors}}
                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
            << std::endl;
  return failed == 0 ? 0 : 1;
}
