#include "clients/cli/manifest_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGood[] = R"(# Three of them.
version: 1
name: galumph
services:
  - name: galumph
    api: galumph2
    inst: galumph2_3
    file: galumph2_3
    args: [--loud, "7"]
    env:
      A: one
      B: "2"
  - name: other
    api: other1
    inst: other1_0
    file: /bin/true
khan: |
  x := 3
  pick(galumph, x, ALL)
)";

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const std::size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  return text.replace(place, from.size(), to);
}

std::string Refusal(const std::string& text) {
  const auto manifest = ParseManifest(text, "m.yaml");
  EXPECT_TRUE(absl::IsInvalidArgument(manifest.status())) << manifest.status();
  return std::string(manifest.status().message());
}

TEST(ManifestFile, ReadsEveryField) {
  const auto manifest = ParseManifest(kGood, "m.yaml");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->name(), "galumph");
  EXPECT_EQ(manifest->source(), "m.yaml");
  ASSERT_EQ(manifest->services_size(), 2);
  const auto& service = manifest->services(0);
  EXPECT_EQ(service.name(), "galumph");
  EXPECT_EQ(service.api(), "galumph2");
  EXPECT_EQ(service.inst(), "galumph2_3");
  EXPECT_EQ(service.file(), "galumph2_3");
  EXPECT_EQ(service.line(), 5);
  EXPECT_THAT(service.args(), ElementsAre("--loud", "7"));
  EXPECT_THAT(service.env(), ElementsAre("A=one", "B=2"));
  EXPECT_EQ(manifest->services(1).line(), 13);
  EXPECT_EQ(manifest->khan(), "x := 3\npick(galumph, x, ALL)\n");
}

TEST(ManifestFile, AHordeIsThatOfAllServicesThatNameNone) {
  const auto manifest = ParseManifest(Replace(Replace(kGood, "services:", "horde: shop\nservices:"),
                                              "    api: other1", "    api: other1\n    horde: own"),
                                      "m.yaml");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->services(0).horde(), "shop");
  EXPECT_EQ(manifest->services(1).horde(), "own");
}

TEST(ManifestFile, KnowsTheLineOfKhansFirstLine) {
  EXPECT_EQ(ParseManifest(kGood, "m")->khan_line(), 18);
  const std::string plain = "version: 1\nname: a\nservices: []\nkhan: pick(a, 1, ALL)\n";
  EXPECT_EQ(ParseManifest(plain, "m")->khan_line(), 4);
  const std::string below = "version: 1\nname: a\nservices: []\nkhan:\n  pick(a, 1, ALL)\n";
  EXPECT_EQ(ParseManifest(below, "m")->khan_line(), 5);
}

TEST(ManifestFile, NamesTheLineOfATypoAndWhatWasMeant) {
  EXPECT_EQ(Refusal(Replace(kGood, "    file: galumph2_3", "    flie: galumph2_3")),
            "m.yaml:8: services[0]: unknown field 'flie'; did you mean 'file'?");
  EXPECT_EQ(Refusal(Replace(kGood, "services:", "servces:")),
            "m.yaml:4: unknown field 'servces'; did you mean 'services'?");
  EXPECT_EQ(Refusal(Replace(kGood, "khan:", "placement:")),
            "m.yaml:17: unknown field 'placement'; there are version, name, horde, services, khan");
}

TEST(ManifestFile, RefusesWhatIsMissingOrThereTwice) {
  EXPECT_EQ(Refusal(Replace(kGood, "version: 1\n", "")), "m.yaml:2: version: is missing");
  EXPECT_EQ(Refusal(Replace(kGood, "    inst: other1_0\n", "")),
            "m.yaml:13: services[1]: inst: is missing");
  EXPECT_EQ(Refusal(Replace(kGood, "name: galumph\n", "name: galumph\nname: b\n")),
            "m.yaml:4: field 'name' is there twice");
  EXPECT_EQ(Refusal(Replace(kGood, "      B: ", "      A: ")),
            "m.yaml:12: services[0]: env: 'A' is there twice");
}

TEST(ManifestFile, RefusesValuesOfAnotherKind) {
  EXPECT_EQ(Refusal(Replace(kGood, "version: 1", "version: 2")),
            "m.yaml:2: version: '2' is not known; this radix reads version 1");
  EXPECT_EQ(Refusal(Replace(kGood, "name: galumph\n", "name: [a]\n")),
            "m.yaml:3: name: must be a text");
  EXPECT_EQ(Refusal(Replace(kGood, "[--loud, \"7\"]", "--loud")),
            "m.yaml:9: services[0]: args: must be a list of texts");
  EXPECT_EQ(Refusal("version: 1\nname: a\nservices: none\nkhan: x\n"),
            "m.yaml:3: services: must be a list; [] for none");
}

TEST(ManifestFile, RefusesNamesThatNoVariableCanHave) {
  const auto named = [](const std::string& name) {
    return Refusal(Replace(kGood, "      B: ", "      " + name + ": "));
  };
  const std::string place = "m.yaml:12: services[0]: env: ";
  const std::string rule = " is no variable's name: A-Z, a-z, 0-9 and _, no digit first";
  EXPECT_EQ(named("B=C"), place + "'B=C'" + rule);
  EXPECT_EQ(named("''"), place + "''" + rule);
  EXPECT_EQ(named("\"B\\0C\""), place + "'B\\000C'" + rule);
  EXPECT_EQ(named("7B"), place + "'7B'" + rule);
  EXPECT_EQ(named("B-C"), place + "'B-C'" + rule);
}

TEST(ManifestFile, RefusesTextsThatNoProgramCanBeGiven) {
  EXPECT_EQ(Refusal(Replace(kGood, "\"7\"", "\"7\\0\"")),
            "m.yaml:9: services[0]: args: holds a zero byte, which nothing here can");
  EXPECT_EQ(Refusal(Replace(kGood, "\"2\"", "\"2\\0\"")),
            "m.yaml:12: services[0]: env.B: holds a zero byte, which nothing here can");
  EXPECT_EQ(Refusal(Replace(kGood, "--loud", "caf\xe9")), "m.yaml:9: is not UTF-8");
}

TEST(ManifestFile, RefusesWhatIsNoManifestAtAll) {
  EXPECT_THAT(Refusal(""), StartsWith("m.yaml:1: is empty"));
  EXPECT_THAT(Refusal("just words"), StartsWith("m.yaml:1: must be"));
  EXPECT_THAT(Refusal("a: [1\nb: 2\n"), StartsWith("m.yaml:2: "));
  EXPECT_EQ(Refusal("version: " + std::string(9999, '[')), "m.yaml:1: is nested too deeply");
  EXPECT_THAT(Refusal("version: 1\n---\nversion: 1\n"), HasSubstr("a second document begins"));
  EXPECT_THAT(Refusal(std::string("\0\x01\xff", 3)), StartsWith("m.yaml:"));
  EXPECT_TRUE(absl::IsNotFound(LoadManifest("/nowhere/m.yaml").status()));
  EXPECT_TRUE(absl::IsNotFound(LoadManifest("/").status()));
  const auto empty = LoadManifest("/dev/null");
  EXPECT_TRUE(absl::IsInvalidArgument(empty.status())) << empty.status();
  EXPECT_THAT(std::string(empty.status().message()), StartsWith("/dev/null:1: "));
}

class ResolveFilesTest : public testing::Test {
 protected:
  ResolveFilesTest() {
    std::string pattern = (fs::temp_directory_path() / "radix-XXXXXX").string();
    programs_ = mkdtemp(pattern.data());
    fs::copy("/proc/self/exe", programs_ / "galumph2_3");
  }
  ~ResolveFilesTest() override { fs::remove_all(programs_); }

  absl::Status Resolve(const std::string& file) {
    manifest_ = *ParseManifest(Replace(kGood, "file: galumph2_3", "file: " + file), "m.yaml");
    return ResolveFiles(
        programs_,
        [this](const fs::path& path) -> absl::StatusOr<std::string> {
          put_.push_back(path);
          return "sha256:of-" + path.filename().string();
        },
        manifest_);
  }

  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(programs_ / name, std::ios::binary) << bytes;
  }

  fs::path programs_;
  std::vector<fs::path> put_;
  proctor::v1::Manifest manifest_;
};

TEST_F(ResolveFilesTest, PutsFilesBesideTheProgramAndByAbsolutePath) {
  ASSERT_TRUE(Resolve("galumph2_3").ok());
  EXPECT_THAT(put_, ElementsAre(programs_ / "galumph2_3", fs::path("/bin/true")));
  EXPECT_EQ(manifest_.services(0).file(), "sha256:of-galumph2_3");
  EXPECT_EQ(manifest_.services(1).file(), "sha256:of-true");
}

TEST_F(ResolveFilesTest, PutsAFileThatTwoServicesUseOnce) {
  ASSERT_TRUE(Resolve("/bin/true").ok());
  EXPECT_THAT(put_, ElementsAre(fs::path("/bin/true")));
  EXPECT_EQ(manifest_.services(0).file(), manifest_.services(1).file());
}

TEST_F(ResolveFilesTest, LeavesAChecksumAsItIs) {
  const std::string checksum = "sha256:" + std::string(64, 'a');
  ASSERT_TRUE(Resolve(checksum).ok());
  EXPECT_EQ(manifest_.services(0).file(), checksum);
  EXPECT_THAT(put_, ElementsAre(fs::path("/bin/true")));
}

TEST_F(ResolveFilesTest, NamesTheLineOfAFileThatIsNone) {
  for (const std::string file : {"sha256:abc", "nowhere", "/nowhere", "some/where", "/bin"}) {
    const absl::Status status = Resolve(file);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << file;
    EXPECT_THAT(std::string(status.message()), StartsWith("m.yaml:5: services[0]: file: ")) << file;
    EXPECT_TRUE(put_.empty()) << file;
  }
}

TEST_F(ResolveFilesTest, TakesScriptsToo) {
  Write("script", "#! /bin/sh\necho hello\n");
  EXPECT_TRUE(Resolve("script").ok());
  Write("script", "#!/usr/bin/env -S python3 -B");
  EXPECT_TRUE(Resolve("script").ok());
}

TEST_F(ResolveFilesTest, RefusesWhatNoKernelRuns) {
  const auto refusal = [this](const std::string& bytes) {
    Write("file", bytes);
    const absl::Status status = Resolve("file");
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(put_.empty());
    return std::string(status.message());
  };
  const std::string place = "m.yaml:5: services[0]: file: " + (programs_ / "file").string() + ": ";
  const std::string what = "; build the program, or name another file";
  EXPECT_EQ(refusal(""), place + "is empty" + what);
  EXPECT_EQ(refusal("pick(galumph, 1, ALL)\n"),
            place + "is neither an ELF executable nor a script that begins with #!" + what);
  EXPECT_EQ(refusal("#!\n"), place + "is a script whose #! line names no interpreter" + what);
  EXPECT_EQ(refusal("#!sh\n"),
            place + "is a script whose interpreter, 'sh', is no absolute path" + what);

  std::ostringstream program;
  program << std::ifstream("/proc/self/exe", std::ios::binary).rdbuf();
  EXPECT_EQ(refusal(program.str().substr(0, 40)), place + "is an ELF file that was cut off" + what);
  std::string object = program.str();
  object[16] = 1;  // e_type: ET_REL
  EXPECT_EQ(refusal(object), place + "is an ELF file, but no executable" + what);
  std::string library = program.str();
  std::fill_n(library.begin() + 24, 8, '\0');  // e_entry, where it would begin to run
  EXPECT_EQ(refusal(library), place + "is an ELF file, but no executable" + what);
}

}  // namespace
}  // namespace radix::cli
