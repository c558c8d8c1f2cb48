#include "clients/cli/output.h"

#include <algorithm>
#include <iostream>

namespace radix::cli {

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::cout << line << '\n';
  }
}

void PrintJson(const Json& value) {
  std::cout << value.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

int Report(bool as_json, const Json& json, const std::string& text) {
  if (as_json) {
    PrintJson(json);
  } else {
    std::cout << text << '\n';
  }
  return kExitOk;
}

int Fail(const absl::Status& status) {
  std::cout.flush();
  std::cerr << "radix: " << std::string(status.message()) << '\n';
  return kExitRefused;
}

int FailUsage(const absl::Status& status) {
  Fail(status);
  return kExitUsage;
}

}  // namespace radix::cli
