#include "services/confab/disconnect.h"

#include <sys/socket.h>

namespace radix::confab {

void Disconnect(int socket) {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  if (connect(socket, &none, sizeof none) != 0) shutdown(socket, SHUT_RDWR);
}

}  // namespace radix::confab
