#include "services/confab/channelz.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "services/confab/certificate.h"

namespace radix::confab {
namespace {

using nlohmann::json;

// All servers are started one after another, so that the newest is the one that was started.
std::mutex starting;

// Empty where there is nothing of that kind.
json Parse(char* text) {
  if (text == nullptr) return json::object();
  json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  gpr_free(text);
  return parsed.is_object() ? parsed : json::object();
}

// Whether a list goes on behind what `answer` has of it.
bool HasMore(const json& answer) { return !answer.empty() && !answer.contains("end"); }

// Numbers are texts in this protocol, and left out when they are 0.
std::int64_t NumberIn(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return 0;
  const auto& text = found->get_ref<const std::string&>();
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::uint64_t CountIn(const json& object, const char* name) {
  return static_cast<std::uint64_t>(NumberIn(object, name));
}

std::int64_t NewestServer() {
  std::int64_t newest = 0;
  for (bool more = true; more;) {
    const json answer = Parse(grpc_channelz_get_servers(newest + 1));
    more = HasMore(answer);
    for (const json& server : answer.value("server", json::array())) {
      newest = NumberIn(server.at("ref"), "serverId");
    }
  }
  return newest;
}

// What the peer showed, which lies there in Base64.
std::optional<Shown> ShownOn(std::int64_t socket) {
  static const json::json_pointer place("/socket/security/tls/remote_certificate");
  const json answer = Parse(grpc_channelz_get_socket(socket));
  if (!answer.contains(place)) return std::nullopt;
  std::string pem;
  if (!absl::Base64Unescape(answer.at(place).get<std::string>(), &pem)) return std::nullopt;
  auto shown = ReadCertificate(pem);
  if (!shown.ok()) return std::nullopt;
  return *std::move(shown);
}

}  // namespace

std::pair<std::unique_ptr<grpc::Server>, std::unique_ptr<Channelz>> Channelz::Start(
    grpc::ServerBuilder& builder) {
  const std::lock_guard lock(starting);
  auto server = builder.BuildAndStart();
  if (server == nullptr) return {};
  return {std::move(server), std::unique_ptr<Channelz>(new Channelz(NewestServer()))};
}

std::vector<Transports::LetIn> Channelz::TakeLetIn() {
  std::vector<LetIn> let_in;
  for (bool more = true; more;) {
    const json answer = Parse(grpc_channelz_get_server_sockets(server_, next_, 0));
    more = HasMore(answer);
    for (const json& socket : answer.value("socketRef", json::array())) {
      const std::int64_t handle = NumberIn(socket, "socketId");
      next_ = handle + 1;
      // "chttp2 ipv4:10.0.0.1:4242"
      const std::string name = socket.value("name", "");
      const std::string peer = name.substr(name.find(' ') + 1);
      if (peer.starts_with("ip")) let_in.push_back({handle, peer, ShownOn(handle)});
    }
  }
  return let_in;
}

bool Channelz::Count(std::int64_t handle, Traffic& traffic) {
  const json answer = Parse(grpc_channelz_get_socket(handle));
  if (answer.empty()) return false;
  const json& data = answer.at("socket").at("data");
  traffic.streams_answered = CountIn(data, "streamsSucceeded");
  traffic.streams_reset = CountIn(data, "streamsFailed");
  traffic.streams_begun = CountIn(data, "streamsStarted");
  return true;
}

}  // namespace radix::confab
