#include "services/khan/fault.h"

#include "absl/strings/str_cat.h"

namespace radix::khan {

absl::Status ToStatus(const Fault& fault, const Source& source) {
  std::string place;
  if (!source.file.empty()) {
    place = source.file;
    if (source.first_line > 0) absl::StrAppend(&place, ":", source.first_line + fault.at.line - 1);
    absl::StrAppend(&place, ": khan ");
  }
  return absl::InvalidArgumentError(
      absl::StrCat(place, fault.at.line, ":", fault.at.column, ": ", fault.message));
}

}  // namespace radix::khan
