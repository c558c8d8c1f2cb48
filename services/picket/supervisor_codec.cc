#include "services/picket/supervisor_codec.h"

#include <sys/wait.h>

#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/picket/picket_codec.h"

namespace radix::picket {
namespace {

using Json = nlohmann::json;

// A tag is the specification itself, as the wire has it, in text.
std::string EncodeTag(const PluginSpec& spec) {
  return absl::Base64Escape(EncodeSpec(spec).SerializeAsString());
}

std::optional<PluginSpec> DecodeTag(const std::string& tag) {
  std::string bytes;
  v1::PluginSpec wire;
  if (!absl::Base64Unescape(tag, &bytes) || !wire.ParseFromString(bytes)) return std::nullopt;
  auto spec = DecodeSpec(wire);
  if (!spec.ok()) return std::nullopt;
  return *std::move(spec);
}

std::string Describe(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    return absl::StrCat("killed by signal ", signal, " (", strsignal(signal), ")");
  }
  return absl::StrCat("exited with status ", WEXITSTATUS(wait_status));
}

News DecodeChild(const Json& body, Instant now) {
  ChildNews child{.id = body.at("id").get<std::string>(),
                  .uid = body.value("uid", std::uint32_t{0})};
  auto spec = DecodeTag(body.at("tag").get<std::string>());
  if (!spec) return child;
  child.left = PluginTable::Left{
      .spec = *std::move(spec),
      .pid = body.at("pid").get<int>(),
      .started_at = now - std::chrono::milliseconds(body.at("age_ms").get<std::int64_t>()),
      .terminated = body.at("terminated").get<bool>()};
  if (body.contains("status")) child.left->ended = Describe(body.at("status").get<int>());
  return child;
}

// What fulcrum wants: services of its own binary.
News DecodeWant(const Json& body) {
  WantNews want;
  for (const Json& each : body) {
    const auto service = each.at("service").get<std::string>();
    want.specs.push_back({.id = service,
                          .owner = kFulcrum,
                          .horde = "radix",
                          .api = service + "1",
                          .inst = service + "1_0",
                          .file = "builtin:" + service,
                          .args = each.at("args").get<std::vector<std::string>>()});
  }
  return want;
}

News DecodeOne(const std::string& kind, const Json& body, Instant now) {
  if (kind == "child") return DecodeChild(body, now);
  if (kind == "resume") return ResumeNews{body.at("fence").get<std::uint64_t>()};
  if (kind == "want") return DecodeWant(body);
  if (kind == "shutdown") return ShutdownNews{};
  const auto id = body.at("id").get<std::string>();
  if (kind == "spawned") return SpawnedNews{id, body.at("pid").get<int>()};
  if (kind == "refused") return RefusedNews{id, body.at("error").get<std::string>()};
  if (kind == "exited") {
    return ExitedNews{id, body.at("pid").get<int>(), Describe(body.at("status").get<int>())};
  }
  throw std::invalid_argument("its kind is not known");
}

}  // namespace

absl::StatusOr<News> DecodeNews(const Json& message, Instant now) {
  if (!message.is_object() || message.size() != 1) {
    return absl::InvalidArgumentError("a message of the supervisor has not one field");
  }
  const std::string& kind = message.begin().key();
  try {  // nlohmann's way to say that a field is missing or of another type
    return DecodeOne(kind, message.begin().value(), now);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("the supervisor's message '", kind, "': ", error.what()));
  }
}

Json EncodeSpawn(const PluginSpec& spec, const std::vector<std::string>& argv,
                 const std::vector<std::string>& env, std::uint32_t uid) {
  Json spawn = {{"id", spec.id}, {"argv", argv}, {"env", env}, {"tag", EncodeTag(spec)}};
  if (uid != 0) spawn["uid"] = uid;
  return {{"spawn", std::move(spawn)}};
}

Json EncodeKill(const std::string& id, int signal) {
  return {{"kill", {{"id", id}, {"signal", static_cast<unsigned>(signal)}}}};
}

Json EncodeFence(std::uint64_t epoch) { return {{"fence", epoch}}; }

}  // namespace radix::picket
