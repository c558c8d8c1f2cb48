#!/bin/sh
# Installs grpcurl as a Go module into the folder named by the argument, unless it is there.
# Exit status 77, with the reason, where this machine cannot.
set -u
folder=$1

[ -x "$folder/grpcurl" ] && exit 0
command -v go >/dev/null 2>&1 || {
    echo "grpcurl: there is no go"
    exit 77
}
mkdir -p "$folder"
log=$folder/install-grpcurl.log
GOBIN=$(cd "$folder" && pwd) GOFLAGS=-mod=mod timeout 840 \
    go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.1 >"$log" 2>&1 || {
    echo "grpcurl: 'go install' failed: $(tail -1 "$log")"
    exit 77
}
