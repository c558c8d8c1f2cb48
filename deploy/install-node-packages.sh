#!/bin/sh
# Installs what tests/interop/node_test.py calls with, by npm, into the folder named by the argument, unless it is there.
# Where this machine cannot, it says why and exits 1.
set -u
folder=$1
packages="@grpc/grpc-js@1.14.7 @grpc/proto-loader@0.8.1"
node_min=18

fail() {
    echo "node packages: $1" >&2
    exit 1
}

version=$(node --version 2>/dev/null) || fail "there is no node; version $node_min or later is wanted"
major=${version#v}
[ "${major%%.*}" -ge $node_min ] || fail "node is $version; version $node_min or later is wanted"
# Written last, so that an install that was cut short is done again.
if [ "$(cat "$folder/installed" 2>/dev/null)" = "$packages" ]; then
    echo "node packages: all are there"
    exit 0
fi
command -v npm >/dev/null 2>&1 || fail "there is no npm, which installs the packages"

mkdir -p "$folder"
rm -f "$folder/installed"
echo "node packages: installing $packages (npm install)"
log=$folder/install.log
# No package's own script is run: these need none.
# shellcheck disable=SC2086 # one word for each package
timeout 180 npm install --fetch-retries 1 --prefix "$folder" --ignore-scripts --no-package-lock --no-save --no-audit --no-fund \
    $packages >"$log" 2>&1 ||
    fail "'npm install' failed: $(grep -m 1 -E '^npm (error|ERR!)' "$log" || tail -1 "$log"); $log has the rest"
echo "$packages" >"$folder/installed"
