#include "services/proctor/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace radix::proctor {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kFile = "sha256:" + std::string(64, 'a');

Manifest Galumph() {
  return {.name = "galumph",
          .services = {{.name = "galumph",
                        .api = "galumph2",
                        .inst = "galumph2_3",
                        .file = kFile,
                        .args = {"--loud"},
                        .env = {"COLOUR=red"},
                        .horde = "default",
                        .line = 4}},
          .khan = "pick(galumph, 3, ALL)",
          .source = "g.yaml",
          .khan_line = 10};
}

std::string ErrorOf(const std::function<void(Manifest&)>& change, Author author = Author::kUser) {
  Manifest manifest = Galumph();
  change(manifest);
  const absl::Status status = Check(manifest, author);
  if (status.ok()) return "";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(Manifest, AGoodOneIsAccepted) {
  EXPECT_EQ(ErrorOf([](Manifest&) {}), "");
  EXPECT_EQ(ErrorOf([](Manifest& m) { m.services.clear(); }), "");
}

TEST(Manifest, WrongFieldsAreNamedWithFileAndLine) {
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].name = "Galumph"; }),
              StartsWith("g.yaml:4: services[0].name: 'Galumph' is not"));
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].api = "a b"; }),
              StartsWith("g.yaml:4: services[0] (galumph).api: 'a b' is not"));
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].inst = ""; }), HasSubstr(".inst: '' is not"));
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].horde = "X"; }), HasSubstr(".horde: 'X'"));
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].file = "/bin/sh"; }),
              HasSubstr(".file: '/bin/sh' is not sha256:"));
  EXPECT_THAT(ErrorOf([](Manifest& m) {
                m.services[0].line = 0;
                m.services[0].file = "";
              }),
              StartsWith("g.yaml: services[0] (galumph).file"));
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.name = "no good"; }),
              StartsWith("g.yaml: name: 'no good' is not"));
  EXPECT_THAT(ErrorOf([](Manifest& m) {
                m.source = "";
                m.name = "";
              }),
              StartsWith("name: ''"));
}

TEST(Manifest, ArgumentsAndEnvironmentFitWhatANodeTakes) {
  EXPECT_EQ(ErrorOf([](Manifest& m) { m.services[0].args = {std::string("a\0b", 3)}; }),
            "g.yaml:4: services[0] (galumph).args[0]: holds a zero byte, which no argument can");
  EXPECT_EQ(ErrorOf([](Manifest& m) {
              m.services[0].env = {"A=1", std::string("B=\0", 3)};
            }),
            "g.yaml:4: services[0] (galumph).env: B: holds a zero byte, which no variable can");
  const auto args = [](std::size_t count, std::size_t bytes) {
    return ErrorOf([&](Manifest& m) { m.services[0].args.assign(count, std::string(bytes, 'x')); });
  };
  const auto env = [](std::size_t count, std::size_t bytes) {
    return ErrorOf([&](Manifest& m) {
      m.services[0].env.clear();
      for (std::size_t i = 0; i < count; ++i) {
        m.services[0].env.push_back(absl::StrCat("A", i, "=", std::string(bytes, 'x')));
      }
    });
  };
  EXPECT_EQ(args(1, 6000), "");
  EXPECT_EQ(args(255, 20), "");
  EXPECT_EQ(env(255, 18), "");
  EXPECT_THAT(args(1, 6200), HasSubstr("(galumph): args and env have 6210 bytes together; at most "
                                       "6144 are taken: put them into a file"));
  EXPECT_THAT(args(100, 70), HasSubstr("bytes together"));
  EXPECT_THAT(env(100, 70), HasSubstr("bytes together"));
  EXPECT_THAT(args(256, 1), HasSubstr("(galumph): args and env are 257 together; at most 256"));
}

TEST(Manifest, TheEnvironmentIsNameValueOnceAndNotOurs) {
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].env = {"X"}; }),
              HasSubstr("'X' is not NAME=value"));
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].env = {"1X=2"}; }),
              HasSubstr("is not NAME=value"));
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].env = {"RADIX_NODE=n"}; }),
              HasSubstr("are set by Radix"));
  EXPECT_THAT(ErrorOf([](Manifest& m) {
                m.services[0].env = {"A=1", "A=2"};
              }),
              HasSubstr("A is set twice"));
  EXPECT_EQ(ErrorOf([](Manifest& m) { m.services[0].env = {"A=", "B=x=y"}; }), "");
}

TEST(Manifest, ReservedNamesAndBuiltInFilesAreNotForUsers) {
  for (const char* name : {"radix", "dean", "fulcrum", "picket", "proctor"}) {
    EXPECT_THAT(ErrorOf([&](Manifest& m) { m.name = name; }), HasSubstr("is reserved")) << name;
  }
  const auto builtin = [](Manifest& m) {
    m.name = "radix";
    m.services[0].file = "builtin:healthminder";
  };
  EXPECT_EQ(ErrorOf(builtin, Author::kBuiltIn), "");
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].file = "builtin:reeve"; }),
              HasSubstr(".file"));
}

TEST(Manifest, ServicesAreNamedOnceAndBounded) {
  EXPECT_THAT(ErrorOf([](Manifest& m) {
                m.services.push_back(m.services[0]);
                m.services[1].line = 9;
              }),
              StartsWith("g.yaml:9: services[1] (galumph).name: another service"));
  EXPECT_THAT(ErrorOf([](Manifest& m) {
                for (int i = 0; i < 300; ++i) {
                  m.services.push_back(m.services[0]);
                  m.services.back().name = absl::StrCat("s", i);
                }
              }),
              HasSubstr("services: more than 256"));
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.khan = std::string(70000, ' '); }),
              HasSubstr("khan: longer than"));
}

TEST(Manifest, WhatIsJustWithinALimitIsTaken) {
  const auto services = [](std::size_t count) {
    return [count](Manifest& m) {
      while (m.services.size() < count) {
        m.services.push_back(m.services[0]);
        m.services.back().name = absl::StrCat("s", m.services.size());
      }
    };
  };
  EXPECT_EQ(ErrorOf(services(kServicesMax)), "");
  EXPECT_THAT(ErrorOf(services(kServicesMax + 1)), HasSubstr("more than 256"));
  EXPECT_EQ(ErrorOf([](Manifest& m) { m.khan = std::string(kKhanMax, ' '); }), "");
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.khan = std::string(kKhanMax + 1, ' '); }),
              HasSubstr("khan: longer than 65536 bytes"));

  const auto args = [](std::size_t count, std::size_t bytes) {
    return [count, bytes](Manifest& m) {
      m.services[0].env.clear();
      m.services[0].args = std::vector<std::string>(count);
      m.services[0].args[0] = std::string(bytes, 'x');
    };
  };
  EXPECT_EQ(ErrorOf(args(kArgumentsMax, kArgumentBytesMax)), "");
  EXPECT_THAT(ErrorOf(args(kArgumentsMax + 1, 1)), HasSubstr("args and env are 257 together"));
  EXPECT_THAT(ErrorOf(args(1, kArgumentBytesMax + 1)), HasSubstr("have 6145 bytes together"));

  for (const auto& [length, taken] : {std::pair(std::size_t{63}, true), {std::size_t{64}, false}}) {
    const std::string text(length, 'x');
    EXPECT_EQ(ErrorOf([&](Manifest& m) { m.name = text; }).empty(), taken);
    EXPECT_EQ(ErrorOf([&](Manifest& m) { m.services[0].api = text; }).empty(), taken);
    EXPECT_EQ(ErrorOf([&](Manifest& m) { m.services[0].inst = text; }).empty(), taken);
    EXPECT_EQ(ErrorOf([&](Manifest& m) { m.services[0].horde = text; }).empty(), taken);
  }
  EXPECT_EQ(ErrorOf([](Manifest& m) { m.services[0].name = std::string(32, 'x'); }), "");
  EXPECT_THAT(ErrorOf([](Manifest& m) { m.services[0].name = std::string(33, 'x'); }),
              HasSubstr("is not 1 to 32"));
}

TEST(Manifest, AChecksumIsLowerCaseHex) {
  EXPECT_TRUE(IsChecksum(kFile));
  EXPECT_FALSE(IsChecksum("sha256:" + std::string(63, 'a')));
  EXPECT_FALSE(IsChecksum("sha256:" + std::string(64, 'A')));
  EXPECT_FALSE(IsChecksum("sha256:" + std::string(64, 'g')));
  EXPECT_FALSE(IsChecksum(std::string(64, 'a')));
  EXPECT_FALSE(IsChecksum(""));
}

}  // namespace
}  // namespace radix::proctor
