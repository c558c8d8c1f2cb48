#include "services/heartbeater/process_driver.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/process_stat.h"

namespace radix::heartbeater {
namespace {

constexpr StreamId kWake = std::numeric_limits<StreamId>::max();

void AddToEpoll(int epoll, int fd, StreamId id) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

ProcessWatch::ProcessWatch(std::function<void(StreamId)> on_death)
    : on_death_(std::move(on_death)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC)) {
  AddToEpoll(epoll_, wake_, kWake);
  thread_ = std::thread([this] { Run(); });
}

ProcessWatch::~ProcessWatch() {
  eventfd_write(wake_, 1);
  thread_.join();
  for (const auto& [id, pidfd] : pidfds_) close(pidfd);
  close(wake_);
  close(epoll_);
}

absl::Status ProcessWatch::Watch(StreamId id, const Process& process) {
  const std::lock_guard lock(mutex_);
  if (pidfds_.contains(id)) return absl::OkStatus();
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0));
  if (pidfd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("pid: cannot watch ", process.pid));
  }
  // Only now, because the number cannot pass to another process while a pidfd is open.
  const auto stat = confab::ReadProcessStat(process.pid);
  if (!stat || stat->start_ticks != process.start_ticks) {
    close(pidfd);
    return absl::NotFoundError(absl::StrCat("pid, pid_start_ticks: there is no process ",
                                            process.pid, " that began at ", process.start_ticks));
  }
  pidfds_[id] = pidfd;
  AddToEpoll(epoll_, pidfd, id);
  return absl::OkStatus();
}

void ProcessWatch::Forget(StreamId id) {
  const std::lock_guard lock(mutex_);
  const auto found = pidfds_.find(id);
  if (found == pidfds_.end()) return;
  close(found->second);  // which also takes it out of the epoll
  pidfds_.erase(found);
}

void ProcessWatch::Run() {
  for (;;) {
    std::array<epoll_event, 16> events;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const StreamId id = events.at(static_cast<std::size_t>(i)).data.u64;
      if (id == kWake) return;
      Forget(id);
      on_death_(id);
    }
  }
}

}  // namespace radix::heartbeater
