// How many bytes a received message took on the wire, which gRPC does not say.

#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace radix::confab {

// Of the requests of one method. Thread-safe.
class MessageSize {
 public:
  // `method` as gRPC names it, for example "/radix.reeve.v1.ReeveService/GetState". nullopt: there
  // is none in this program.
  static std::optional<MessageSize> Find(std::string_view method);
  // Of a method of which nothing is known.
  MessageSize() = default;

  // Of what gRPC gave an interceptor.
  std::size_t Of(const void* message) const;

 private:
  const google::protobuf::Message* example_ = nullptr;
};

}  // namespace radix::confab
