// picket's messages to and from the supervisor. fulcrum/link_codec.h lists them.

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "services/picket/plugin_table.h"

namespace radix::picket {

// A process that an earlier picket left.
struct ChildNews {
  std::string id;
  std::uint32_t uid = 0;  // as whom it runs; 0: as the node
  // nullopt when its tag is none of ours: then nobody knows what it is for.
  std::optional<PluginTable::Left> left;
};
struct ResumeNews {
  std::uint64_t fence = 0;
};
struct WantNews {
  std::vector<PluginSpec> specs;
};
struct SpawnedNews {
  std::string id;
  int pid = 0;
};
struct RefusedNews {
  std::string id;
  std::string why;
};
struct ExitedNews {
  std::string id;
  int pid = 0;
  std::string how;
};
struct ShutdownNews {};
using News = std::variant<ChildNews, ResumeNews, WantNews, SpawnedNews, RefusedNews, ExitedNews,
                          ShutdownNews>;

// InvalidArgument for what is malformed or unknown.
absl::StatusOr<News> DecodeNews(const nlohmann::json& message, Instant now);

// `uid` says as which user and group it runs; 0: as the node.
nlohmann::json EncodeSpawn(const PluginSpec& spec, const std::vector<std::string>& argv,
                           const std::vector<std::string>& env, std::uint32_t uid = 0);
nlohmann::json EncodeKill(const std::string& id, int signal);
nlohmann::json EncodeFence(std::uint64_t epoch);

}  // namespace radix::picket
