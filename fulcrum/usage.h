// What `fulcrum --help` says.

#pragma once

namespace radix::fulcrum {

inline constexpr char kUsage[] =
    "usage: fulcrum --charter F [--name N] [--address A] [--state DIR] [--label L]...\n"
    "               [--services all|none]\n"
    "                                  boot this node; SIGTERM drains it and leaves, a\n"
    "                                  second one ends it at once\n"
    "       fulcrum check CHARTER      validate a charter and its key file\n"
    "       fulcrum keygen FILE        make a key file\n"
    "       fulcrum SERVICE ...        run one service; the node does this by itself\n"
    "\n"
    "  --charter F   the bloc's charter, the same on every node\n"
    "  --name N      1 to 63 characters of a-z 0-9 -   (default: the host's name)\n"
    "  --address A   (default: this machine's only address in the charter's ranges)\n"
    "  --state DIR   the node's own folder   (default: /var/lib/radix for root, otherwise\n"
    "                ~/.local/state/radix/node)\n"
    "  --label L     `tag` or `key=value`, for LABEL(...) in manifests; may be repeated\n"
    "  --services S  all, or none for a node that does nothing but flock; only that may have\n"
    "                an address that is no loopback address, for now   (default: all)\n"
    "  --help, --version\n";

}  // namespace radix::fulcrum
