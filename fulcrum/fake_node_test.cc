#include "fulcrum/fake_node_test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "clients/cpp/call.h"
#include "fulcrum/boot.h"
#include "fulcrum/launch.h"
#include "radix/trust/v1/door.grpc.pb.h"
#include "services/confab/charter_file.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/node.h"
#include "services/confab/parent.h"
#include "services/confab/process_stat.h"
#include "services/confab/serve.h"
#include "services/confab/server_stream.h"
#include "services/picket/run.h"

extern char** environ;

namespace radix::fulcrum {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

sockaddr_un SocketAddress(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

volatile sig_atomic_t told_to_stop = 0;

// Says that every door is open, and that its folder is the node's own.
class OpenDoors final : public trust::v1::DoorService::CallbackService {
 public:
  explicit OpenDoors(fs::path state) : state_(std::move(state)) {}

 private:
  using Stream = confab::ServerBidi<trust::v1::HoldDoorsRequest, trust::v1::HoldDoorsResponse>;

  grpc::ServerBidiReactor<trust::v1::HoldDoorsRequest, trust::v1::HoldDoorsResponse>* HoldDoors(
      grpc::CallbackServerContext* /*context*/) override {
    auto stream = Stream::Create(64);
    stream->Begin({.on_message =
                       [this, stream](const trust::v1::HoldDoorsRequest& request) {
                         trust::v1::HoldDoorsResponse response;
                         response.set_number(request.number());
                         for (const trust::v1::Door& door : request.doors()) {
                           trust::v1::DoorState& state = *response.add_doors();
                           state.set_id(door.id());
                           state.set_folder(state_.string());
                         }
                         stream->Send(std::move(response));
                       },
                   .on_half_close = nullptr,
                   .on_done = nullptr});
    return stream.get();
  }

  const fs::path state_;
};

int PlayService(const std::string& service, int argc, char** argv) {
  confab::BeginService(service.c_str());
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return 2;
  const fs::path state = arguments->node.state;
  const std::string behaviour = ReadAll(state / (service + ".does"));
  std::fprintf(stderr, "%s is here\n", service.c_str());
  if (behaviour == "crash") return 3;
  struct sigaction action {};
  action.sa_handler = [](int) { told_to_stop = 1; };
  if (behaviour == "stubborn") action.sa_handler = SIG_IGN;
  sigaction(SIGTERM, &action, nullptr);
  const fs::path path = state / (service + ".in");
  unlink(path.c_str());
  const int inbox = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = SocketAddress(path);
  if (bind(inbox, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 4;
  OpenDoors doors(state);
  std::unique_ptr<confab::Server> server;
  if (service == "reeve") {
    auto started =
        confab::Server::Start(arguments->node, {.socket = service}, {confab::Hosted(doors)});
    if (!started.ok()) return 5;
    server = *std::move(started);
  }
  confab::NotifyReady();
  if (behaviour == "greedy") {
    // Not what the kernel would kill it for: somebody else would pay.
    for (std::size_t mebibytes = 0; mebibytes < 1024; ++mebibytes) {
      std::memset(new char[1 << 20], 1, 1 << 20);
    }
  }
  while (told_to_stop == 0) {
    confab::NotifyAlive();
    pollfd readable{inbox, POLLIN, 0};
    if (poll(&readable, 1, 20) <= 0) continue;
    std::array<char, 65536> text{};
    const ssize_t size = recv(inbox, text.data(), text.size(), 0);
    if (size > 0 && confab::SupervisorFd()) {
      send(*confab::SupervisorFd(), text.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
    }
  }
  std::fprintf(stderr, "%s ends\n", service.c_str());
  return 0;
}

int PlayNode(const fs::path& state) {
  confab::ServiceArguments node;
  node.charter_path = state.parent_path() / "charter.yaml";
  node.charter = *confab::LoadCharter(node.charter_path);
  node.node = {.name = "n1", .address = *IpAddress::Parse("127.88.77.1"), .state = state};
  return Boot(node);
}

std::vector<pid_t> AllProcesses() {
  std::vector<pid_t> all;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) all.push_back(std::stoi(name));
  }
  return all;
}

}  // namespace

bool PlayPart(int argc, char** argv, int& status) {
  if (argc < 2) return false;
  const std::string part = argv[1];
  if (part == "node") {
    status = PlayNode(argv[2]);
  } else if (part == "launch") {
    status = Launch(argc - 1, argv + 1);
  } else if (part == "picket") {
    status = picket::Run(argc - 1, argv + 1);
  } else if (part == "flock" || part == "heartbeater" || part == "reeve" || part == "steward" ||
             part == "dean" || part == "proctor" || part == "pastiche" || part == "healthminder") {
    status = PlayService(part, argc - 1, argv + 1);
  } else {
    return false;
  }
  return true;
}

FakeNode::FakeNode() {
  std::string folder = (fs::temp_directory_path() / "fulcrum-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) std::abort();
  state_ = fs::path(folder) / "n1";
  fs::create_directory(state_);
  fs::permissions(state_, fs::perms::owner_all);
  if (!confab::MakeKeyFile(state_.parent_path() / "key").ok()) std::abort();
  std::ofstream(state_.parent_path() / "charter.yaml")
      << "bloc: test\nranges: [127.88.77.0/24]\nport: 7117\nat_most: 1\nkey_file: key\n";
}

FakeNode::~FakeNode() {
  if (pid_ != 0) End(SIGKILL);
  std::error_code error;
  fs::remove_all(state_.parent_path(), error);
}

void FakeNode::Have(const std::string& service, const std::string& behaviour) const {
  std::ofstream(state_ / (service + ".does")) << behaviour;
}

void FakeNode::Start() {
  Launch();
  Eventually([&] { return Log("fulcrum").find("picket: serves") != std::string::npos; });
}

void FakeNode::Launch() {
  fs::create_directory(state_ / "log");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string log = state_ / "log" / "fulcrum.log";
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  // What whoever boots the node may have left open: it must not reach the services.
  posix_spawn_file_actions_addopen(&actions, 9, "/dev/null", O_RDONLY, 0);
  const std::string state = state_.string();
  std::array<const char*, 4> argv = {"fulcrum", "node", state.c_str(), nullptr};
  posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, const_cast<char**>(argv.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
}

void FakeNode::Say(const std::string& message) const {
  const int out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = SocketAddress(state_ / "flock.in");
  sendto(out, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&address),
         sizeof address);
  close(out);
}

pid_t FakeNode::Find(const std::string& service) const {
  const std::string start = std::string("fulcrum") + '\0' + service + '\0';
  for (const pid_t pid : Processes()) {
    if (!IsGone(pid) && CommandLineOf(pid).starts_with(start)) return pid;
  }
  return 0;
}

int FakeNode::End(int signal) {
  kill(pid_, signal);
  int status = -1;
  const bool ended = Eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; });
  if (!ended) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    status = -1;
  }
  pid_ = 0;
  return status;
}

std::string FakeNode::Script(const std::string& name, const std::string& text) const {
  const fs::path path = state_ / name;
  std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
  // It may run as another user.
  fs::permissions(path, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  return path;
}

std::unique_ptr<picket::v1::PicketService::Stub> FakeNode::Picket() const {
  return picket::v1::PicketService::NewStub(
      confab::DialLocal({.name = "n1", .address = {}, .state = state_, .labels = {}}, "picket"));
}

grpc::Status FakeNode::StartPlugin(const std::string& id, const std::string& file,
                                   const std::vector<std::string>& args, std::int64_t epoch) const {
  picket::v1::StartRequest request;
  picket::v1::StartResponse response;
  request.set_epoch(epoch);
  request.mutable_spec()->set_id(id);
  request.mutable_spec()->set_owner("test");
  request.mutable_spec()->set_file(file);
  for (const std::string& each : args) request.mutable_spec()->add_args(each);
  return Call(*Picket()->async(), &picket::v1::PicketService::Stub::async::Start, request, response,
              {.timeout = 10s, .wait_for_ready = true});
}

grpc::Status FakeNode::StopPlugin(const std::string& id, std::int32_t grace_seconds) const {
  picket::v1::StopRequest request;
  picket::v1::StopResponse response;
  request.set_epoch(1);
  request.set_id(id);
  request.set_grace_seconds(grace_seconds);
  return Call(*Picket()->async(), &picket::v1::PicketService::Stub::async::Stop, request, response,
              {.timeout = 10s, .wait_for_ready = true});
}

picket::v1::Plugin FakeNode::Plugin(const std::string& id) const {
  picket::v1::ListPluginsRequest request;
  picket::v1::ListPluginsResponse response;
  Call(*Picket()->async(), &picket::v1::PicketService::Stub::async::ListPlugins, request, response,
       {.timeout = 10s, .wait_for_ready = true});
  for (const auto& each : response.plugins()) {
    if (each.spec().id() == id) return each;
  }
  return {};
}

std::string FakeNode::Log(const std::string& name) const {
  return ReadAll(state_ / "log" / (name + ".log"));
}

std::vector<pid_t> FakeNode::Processes() const {
  std::vector<pid_t> found;
  for (const pid_t pid : AllProcesses()) {
    const std::string folder = "/proc/" + std::to_string(pid);
    const std::string state = state_.string() + '\0';
    if (ReadAll(folder + "/environ").find("RADIX_SUPERVISOR_STATE=" + state) != std::string::npos ||
        CommandLineOf(pid).find("--state" + std::string(1, '\0') + state) != std::string::npos) {
      found.push_back(pid);
    }
  }
  return found;
}

bool Eventually(const std::function<bool()>& condition, Duration limit) {
  const Instant end = confab::Now() + limit;
  while (!condition()) {
    if (confab::Now() >= end) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

bool IsGone(pid_t pid) {
  const auto stat = confab::ReadProcessStat(pid);
  return !stat || stat->state == 'Z';
}

pid_t ParentOf(pid_t pid) {
  return confab::ReadProcessStat(pid).value_or(confab::ProcessStat{}).parent;
}

std::string CommandLineOf(pid_t pid) {
  return ReadAll("/proc/" + std::to_string(pid) + "/cmdline");
}

std::vector<int> DescriptorsOf(pid_t pid) {
  std::vector<int> open;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
    open.push_back(std::stoi(entry.path().filename().string()));
  }
  std::sort(open.begin(), open.end());
  return open;
}

}  // namespace radix::fulcrum
