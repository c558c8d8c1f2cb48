// An empty gRPC server, and nothing of Radix: what a service of its own costs at least on this
// machine. Prints its port once it serves, then waits for a signal.

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cstdio>

int main() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::CallbackGenericService nothing;  // answers every call with UNIMPLEMENTED
  grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&nothing);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("%d\n", port);
  std::fflush(stdout);
  pause();
  return 0;
}
