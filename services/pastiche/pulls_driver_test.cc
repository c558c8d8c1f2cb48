// Pulls between nodes: real pastiches, a reeve that names whom the test wants, and peers that
// break, lie, or keep silent.

#include "services/pastiche/pulls_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "clients/cpp/blocking_stream.h"
#include "services/confab/dial.h"
#include "services/pastiche/pastiche_test.h"

namespace radix::pastiche {
namespace {

using testing::HasSubstr;
using Stream = ScriptedPeer::Stream;

ServiceOptions Quick() {
  ServiceOptions options;
  options.pull.rounds_max = 2;
  options.pull.wait_first = 1ms;
  return options;
}

class PullsTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  TestNode here_{"n1", folder_.path(), Quick()};
  const std::string content_ = RandomBytes(1, 3'000'000);
  const Checksum checksum_ = Sha256::Of(content_);

  // Nothing but whole files under their names.
  void ExpectNothingHalf() {
    EXPECT_TRUE(Eventually([&] {
      for (const std::string& name : here_.Names()) {
        if (name.starts_with("incoming-")) return false;
      }
      return true;
    }));
    const auto files = here_.store->List(std::nullopt, 1000);
    ASSERT_TRUE(files.ok());
    for (const FileInfo& file : *files) EXPECT_TRUE(here_.store->Verify(file.checksum).ok());
  }

  ScriptedPeer::Script Sends(const std::string& content) {
    return [content](const v1::GetRequest&, const std::shared_ptr<Stream>& stream) {
      for (std::size_t at = 0; at < content.size(); at += 100'000) {
        stream->Send(
            ScriptedPeer::Chunk(content.substr(at, 100'000), at == 0 ? content.size() : 0));
      }
      stream->End(grpc::Status::OK);
    };
  }
  static ScriptedPeer::Script Ends(grpc::Status status) {
    return [status](const v1::GetRequest&, const std::shared_ptr<Stream>& stream) {
      stream->End(status);
    };
  }
  // Sends some and then nothing more.
  ScriptedPeer::Script Stops() {
    return [this](const v1::GetRequest&, const std::shared_ptr<Stream>& stream) {
      stream->Send(ScriptedPeer::Chunk(content_.substr(0, 1'000'000), content_.size()));
    };
  }
};

TEST_F(PullsTest, BringsAFileFromTheNodeThatHasIt) {
  TestNode other("n2", folder_.path());
  TestNode third("n3", folder_.path());
  other.Put(content_);
  here_.reeve.SetPeers({here_.peer(), third.peer(), other.peer()});
  const auto pulled = here_.client().Pull(checksum_);
  ASSERT_TRUE(pulled.ok()) << pulled.status().ToString();
  EXPECT_EQ(pulled->size_bytes, 3'000'000);
  EXPECT_EQ(pulled->source, "n2");
  EXPECT_EQ(pulled->path, here_.store->PathOf(checksum_));
  EXPECT_TRUE(here_.store->Verify(checksum_).ok());

  const auto again = here_.client().Pull(checksum_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->source, "");
  EXPECT_EQ(again->size_bytes, 3'000'000);
}

TEST_F(PullsTest, TellsThePathOnlyOverTheUnixSocket) {
  here_.Put(content_);
  const PasticheClient remote(*confab::Dial(confab::Node{}, here_.peer().net_id, "pastiche"), 30s);
  const auto pulled = remote.Pull(checksum_);
  ASSERT_TRUE(pulled.ok()) << pulled.status().ToString();
  EXPECT_EQ(pulled->size_bytes, 3'000'000);
  EXPECT_EQ(pulled->path, "");
}

TEST_F(PullsTest, PutsOnOneNodeAndFetchesOnAnother) {
  TestNode other("n2", folder_.path());
  here_.reeve.SetPeers({other.peer()});
  const auto source = folder_.path() / "source";
  std::ofstream(source) << content_;
  const auto put = other.client().PutFile(source);
  ASSERT_TRUE(put.ok()) << put.status().ToString();
  EXPECT_EQ(*put, checksum_);
  const absl::Status fetched = here_.client().FetchFile(*put, folder_.path() / "out");
  ASSERT_TRUE(fetched.ok()) << fetched.ToString();
  std::ifstream out(folder_.path() / "out");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(out), {}), content_);
  EXPECT_TRUE(here_.store->Verify(checksum_).ok());
}

TEST_F(PullsTest, TurnsToAnotherPeerWhenOneDiesInTheMiddle) {
  ScriptedPeer dying("n2", folder_.path(), Stops());
  TestNode other("n3", folder_.path());
  here_.reeve.SetPeers({dying.peer()});
  auto pulled = std::async([&] { return here_.client().Pull(checksum_); });
  ASSERT_TRUE(dying.AwaitGet());
  // Some of it is here when the peer goes.
  ASSERT_TRUE(Eventually([&] {
    for (const auto& entry : std::filesystem::directory_iterator(here_.folder())) {
      if (entry.file_size() == 1'000'000) return true;
    }
    return false;
  }));
  other.Put(content_);
  here_.reeve.SetPeers({dying.peer(), other.peer()});
  dying.Die();
  const auto end = pulled.get();
  ASSERT_TRUE(end.ok()) << end.status().ToString();
  EXPECT_EQ(end->source, "n3");
  EXPECT_TRUE(here_.store->Verify(checksum_).ok());
  ExpectNothingHalf();
}

TEST_F(PullsTest, SaysWhatItTriedWhenTheOnlyPeerDiesInTheMiddle) {
  ScriptedPeer dying("n2", folder_.path(), Stops());
  here_.reeve.SetPeers({dying.peer()});
  auto pulled = std::async([&] { return here_.client().Pull(checksum_); });
  ASSERT_TRUE(dying.AwaitGet());
  dying.Die();
  const auto end = pulled.get();
  EXPECT_EQ(end.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(end.status().message()),
              HasSubstr("n2 (" + dying.peer().net_id + "), asked 2 times: "));
  EXPECT_EQ(here_.store->Verify(checksum_).status().code(), absl::StatusCode::kNotFound);
  ExpectNothingHalf();
}

TEST_F(PullsTest, TakesNoWrongBytesAndAsksTheLiarOnlyOnce) {
  std::string flipped = content_;
  flipped[2'999'999] ^= 1;
  const ScriptedPeer::Script scripts[] = {Sends(flipped), Sends(content_.substr(0, 2'900'000)),
                                          Sends(content_ + "x"), Sends("")};
  for (const auto& script : scripts) {
    ScriptedPeer liar("n2", folder_.path(), script);
    ScriptedPeer busy("n3", folder_.path(), Ends({grpc::StatusCode::RESOURCE_EXHAUSTED, "busy"}));
    here_.reeve.SetPeers({liar.peer(), busy.peer()});
    const auto end = here_.client().Pull(checksum_);
    EXPECT_EQ(end.status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(liar.gets(), 1);
    EXPECT_EQ(busy.gets(), 2);
    EXPECT_TRUE(here_.Names().empty());
  }
  ScriptedPeer liar("n2", folder_.path(), scripts[0]);
  ScriptedPeer honest("n3", folder_.path(), Sends(content_));
  here_.reeve.SetPeers({liar.peer(), honest.peer()});
  const auto end = here_.client().Pull(checksum_);
  ASSERT_TRUE(end.ok()) << end.status().ToString();
  EXPECT_EQ(end->source, "n3");
  EXPECT_TRUE(here_.store->Verify(checksum_).ok());
}

TEST_F(PullsTest, StopsAPeerThatSendsMoreThanItPromised) {
  std::atomic<bool> stopped = false;
  ScriptedPeer endless("n2", folder_.path(),
                       [&](const v1::GetRequest&, const std::shared_ptr<Stream>& stream) {
                         stream->Begin([&] { stopped = true; });
                         stream->Send(ScriptedPeer::Chunk("x", 10));
                         for (int i = 0; i < 100; ++i) {
                           stream->Send(ScriptedPeer::Chunk(std::string(100'000, 'x')));
                         }
                       });
  here_.reeve.SetPeers({endless.peer()});
  const auto end = here_.client().Pull(checksum_);
  EXPECT_THAT(std::string(end.status().message()), HasSubstr("more than the 10 bytes"));
  EXPECT_TRUE(Eventually([&] { return stopped.load(); }));
  EXPECT_TRUE(here_.Names().empty());
}

TEST_F(PullsTest, SharesOneTransferAmongAllWhoAskForAFile) {
  ScriptedPeer waiting("n2", folder_.path(),
                       [](const v1::GetRequest&, const std::shared_ptr<Stream>&) {});
  here_.reeve.SetPeers({waiting.peer()});
  std::vector<std::future<absl::Status>> ends;
  for (int i = 0; i < 6; ++i) {
    ends.push_back(std::async(std::launch::async, [&, i] {
      const PasticheClient client = here_.client();
      if (i % 2 == 0) return client.Pull(checksum_).status();
      return client.FetchFile(checksum_, folder_.path() / ("out" + std::to_string(i)));
    }));
  }
  ASSERT_TRUE(waiting.AwaitGet());
  Sends(content_)({}, waiting.stream(0));
  for (auto& end : ends) {
    const absl::Status status = end.get();
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  EXPECT_EQ(waiting.gets(), 1);
}

TEST_F(PullsTest, AsksPeersForNothingButWhatTheyHave) {
  std::atomic<bool> local_only = false;
  ScriptedPeer peer("n2", folder_.path(),
                    [&](const v1::GetRequest& request, const std::shared_ptr<Stream>& stream) {
                      local_only = request.local_only();
                      stream->End({grpc::StatusCode::NOT_FOUND, "not here"});
                    });
  here_.reeve.SetPeers({peer.peer()});
  EXPECT_EQ(here_.client().Pull(checksum_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(local_only);
}

TEST_F(PullsTest, PullsAGoodCopyInPlaceOfADamagedOne) {
  TestNode other("n2", folder_.path());
  other.Put(content_);
  here_.reeve.SetPeers({other.peer()});
  here_.Put(content_);
  const std::string path = here_.store->PathOf(checksum_);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::fstream(path, std::ios::in | std::ios::out).put(static_cast<char>(content_[0] ^ 1));
  const auto end = here_.client().Pull(checksum_);
  ASSERT_TRUE(end.ok()) << end.status().ToString();
  EXPECT_EQ(end->source, "n2");
  EXPECT_TRUE(here_.store->Verify(checksum_).ok());
}

TEST_F(PullsTest, ReportsItsOwnFullDiskInsteadOfBlamingThePeer) {
  // This node's disk fails at the first write.
  const auto node = LoopbackNode("full", folder_.path());
  StoreOptions full;
  full.before_step = [](Step step) { return step == Step::kWrite ? ENOSPC : 0; };
  const auto store = *Store::Open(node.state / "pastiche", full);
  PasticheService service(node, *store, Quick());
  const auto server = *confab::Server::Start(
      node, {.socket = "pastiche"}, {{&service, v1::PasticheService::service_full_name()}});
  const auto reeve_server = *confab::Server::Start(
      node, {.socket = "reeve"}, {{&here_.reeve, reeve::v1::ReeveService::service_full_name()}});
  ScriptedPeer peer("n2", folder_.path(), Sends(content_));
  here_.reeve.SetPeers({peer.peer()});
  const auto end = PasticheClient(Network{node}, 30s).Pull(checksum_);
  EXPECT_EQ(end.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(end.status().message()), HasSubstr("No space left"));
  EXPECT_EQ(peer.gets(), 1);
  EXPECT_TRUE(std::filesystem::is_empty(node.state / "pastiche"));
}

TEST_F(PullsTest, DoesNotAskItself) {
  here_.reeve.SetPeers({here_.peer()});
  const auto end = here_.client().Pull(checksum_);
  EXPECT_EQ(end.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(end.status().message()), HasSubstr("no other node"));
}

TEST_F(PullsTest, LetsACallerLeaveAPullThatGoesOn) {
  ServiceOptions options = Quick();
  options.transfers.transfers_max = 2;  // the pull, and whoever waits for it
  TestNode node("small", folder_.path(), options);
  ScriptedPeer waiting("n2", folder_.path(),
                       [](const v1::GetRequest&, const std::shared_ptr<Stream>&) {});
  node.reeve.SetPeers({waiting.peer()});
  auto stub = v1::PasticheService::NewStub(confab::DialLocal(node.node, "pastiche"));
  v1::GetRequest request;
  request.set_checksum(checksum_.ToString());
  BlockingReader<v1::GetResponse> reader;
  stub->async()->Get(&reader.context(), &request, &reader);
  reader.Begin();
  ASSERT_TRUE(waiting.AwaitGet());
  reader.Cancel();
  EXPECT_EQ(reader.End().error_code(), grpc::StatusCode::CANCELLED);

  const auto source = folder_.path() / "source";
  std::ofstream(source) << "other";
  EXPECT_TRUE(Eventually([&] { return node.client().PutFile(source).ok(); }));
  Sends(content_)({}, waiting.stream(0));
  EXPECT_TRUE(Eventually([&] { return node.store->Verify(checksum_).ok(); }));
}

TEST_F(PullsTest, SaysSoWhenReeveCannotBeAsked) {
  here_.reeve_server.reset();
  const auto end = here_.client().Pull(checksum_);
  EXPECT_EQ(end.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(end.status().message()), HasSubstr("cannot learn which peers"));
}

TEST_F(PullsTest, LeavesTheTargetAloneWhenAFetchFails) {
  ScriptedPeer liar("n2", folder_.path(), Sends("wrong"));
  here_.reeve.SetPeers({liar.peer()});
  const auto out = folder_.path() / "out";
  std::ofstream(out) << "precious";
  EXPECT_FALSE(here_.client().FetchFile(checksum_, out).ok());
  std::ifstream kept(out);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), "precious");
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("partial")));
  }
  // A pastiche that lies to its own client is found out, too.
  const PasticheClient lied_to(*confab::Dial(confab::Node{}, liar.peer().net_id, "pastiche"), 30s);
  EXPECT_EQ(lied_to.FetchFile(checksum_, out).code(), absl::StatusCode::kDataLoss);
}

TEST_F(PullsTest, NamesThePathThatCannotBePutOrFetchedTo) {
  const PasticheClient client = here_.client();
  const auto missing = client.PutFile(folder_.path() / "missing");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("missing"));
  EXPECT_EQ(client.PutFile(folder_.path()).status().code(), absl::StatusCode::kInvalidArgument);
  here_.Put(content_);
  EXPECT_EQ(client.FetchFile(checksum_, folder_.path() / "no" / "out").code(),
            absl::StatusCode::kNotFound);
}

TEST_F(PullsTest, AFetchReplacesNothingButAFile) {
  here_.Put(content_);
  const auto pipe = folder_.path() / "pipe";
  const auto link = folder_.path() / "link";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::filesystem::create_symlink(pipe, link);
  for (const auto& target : {pipe, link, folder_.path()}) {
    const absl::Status refused = here_.client().FetchFile(checksum_, target);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr(target.string()));
  }
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST_F(PullsTest, EndsItsPullsWhenTheServiceEnds) {
  ScriptedPeer silent("n2", folder_.path(), Stops());
  const auto node = LoopbackNode("ending", folder_.path());
  const auto reeve_server = *confab::Server::Start(
      node, {.socket = "reeve"}, {{&here_.reeve, reeve::v1::ReeveService::service_full_name()}});
  here_.reeve.SetPeers({silent.peer()});
  const auto store = *Store::Open(node.state / "pastiche");
  Transfers transfers({.stall_limit = std::chrono::hours(1)});
  auto pulls = std::make_unique<Pulls>(node, *store, transfers);
  std::promise<absl::Status> end;
  pulls->Request(checksum_,
                 [&](const absl::StatusOr<Pulled>& pulled) { end.set_value(pulled.status()); });
  ASSERT_TRUE(silent.AwaitGet());
  pulls.reset();
  EXPECT_EQ(end.get_future().get().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(node.state / "pastiche"));
}

}  // namespace
}  // namespace radix::pastiche
