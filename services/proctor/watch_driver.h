// A server-streaming call to a service of this node that is opened again whenever it ends.

#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "clients/cpp/client_stream.h"
#include "services/confab/backoff.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/confab/node.h"

namespace radix::proctor {

// Opens the call, hands on what it brings, and opens it again, 0.1 to 1 s after it ended. The owner
// calls Tick from one thread; handlers run on gRPC's.
template <typename Service, typename Request, typename Response>
class Watch {
 public:
  using Stub = typename Service::Stub;
  using Method = void (Stub::async::*)(grpc::ClientContext*, const Request*,
                                       grpc::ClientReadReactor<Response>*);
  struct Handlers {
    std::function<void(const Response&)> on_message;
    std::function<void()> on_end;  // the stream ended; call Tick soon
  };

  // Of the `service` of `node`, for example "flock".
  Watch(const confab::Node& node, std::string service, Method method, Request request,
        Handlers handlers)
      : node_(node),
        service_(std::move(service)),
        method_(method),
        request_(std::move(request)),
        handlers_(std::move(handlers)),
        random_(confab::RandomNumber()) {}

  ~Watch() {
    if (link_ != nullptr) link_->stream->Cancel();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Opens the call if that is due. Returns when to come again.
  Instant Tick(Instant now) {
    if (link_ != nullptr && link_->ended) {
      if (link_->answered) backoff_.Reset();
      link_ = nullptr;
      open_at_ = now + backoff_.Next(random_);
    }
    if (link_ != nullptr) return Instant::max();
    if (now < open_at_) return open_at_;
    Open();
    return Instant::max();
  }

 private:
  using Stream = ClientStream<Response>;

  // Shared with the stream's handlers, which may outlive this object by a moment.
  struct Link {
    std::unique_ptr<Stub> stub;
    std::shared_ptr<Stream> stream;
    std::atomic<bool> answered = false;
    std::atomic<bool> ended = false;
  };

  void Open() {
    auto link = std::make_shared<Link>();
    link->stub = Service::NewStub(confab::DialLocal(node_, service_));
    link->stream = Stream::Create();
    (link->stub->async()->*method_)(&link->stream->context(), &request_, link->stream.get());
    link->stream->Begin({.on_message =
                             [link, handle = handlers_.on_message](const Response& response) {
                               link->answered = true;
                               handle(response);
                             },
                         .on_end =
                             [link, handle = handlers_.on_end](const grpc::Status&) {
                               link->ended = true;
                               handle();
                             }});
    link_ = std::move(link);
  }

  const confab::Node node_;
  const std::string service_;
  const Method method_;
  const Request request_;
  const Handlers handlers_;
  Random random_;
  Backoff backoff_{100ms, 1s};
  Instant open_at_;
  std::shared_ptr<Link> link_;
};

}  // namespace radix::proctor
