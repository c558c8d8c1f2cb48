#include "services/confab/message_size.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace radix::confab {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

// Of what is no message of protobuf's, as raw methods have it: it may be as large as any.
constexpr std::size_t kUnknown = 4 << 20;

}  // namespace

std::optional<MessageSize> MessageSize::Find(std::string_view method) {
  if (method.empty()) return std::nullopt;
  std::string name(method.substr(1));
  std::ranges::replace(name, '/', '.');
  const auto* found = DescriptorPool::generated_pool()->FindMethodByName(name);
  if (found == nullptr) return std::nullopt;
  MessageSize size;
  size.example_ = MessageFactory::generated_factory()->GetPrototype(found->input_type());
  return size;
}

std::size_t MessageSize::Of(const void* message) const {
  // gRPC hands out an untyped pointer. What begins as the method's own messages do, with the
  // address of their functions, is one of them; a grpc::ByteBuffer does not.
  if (example_ == nullptr || std::memcmp(message, example_, sizeof(void*)) != 0) return kUnknown;
  return static_cast<const Message*>(message)->ByteSizeLong();
}

}  // namespace radix::confab
