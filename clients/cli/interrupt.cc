#include "clients/cli/interrupt.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <csignal>
#include <initializer_list>

namespace radix::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;
int interrupt_event = -1;

void Remember(int) {
  const int before = errno;
  interrupted = 1;
  eventfd_write(interrupt_event, 1);
  errno = before;
}

}  // namespace

int CatchInterrupts() {
  interrupt_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action {};
  action.sa_handler = Remember;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  return interrupt_event;
}

bool Interrupted() { return interrupted != 0; }

}  // namespace radix::cli
