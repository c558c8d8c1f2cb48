#!/bin/sh
# Installs the packages of deploy/packages.txt that are missing; does nothing when all are there.
#
#   deploy/install-packages.sh           installs, as root or with sudo
#   deploy/install-packages.sh --check   only says what is missing; exit status 1 if something is
#   deploy/install-packages.sh --optional, --bench    the same for packages-optional.txt, packages-bench.txt
set -u

here=$(dirname "$0")
list=$here/packages.txt
case "${1:-}" in
--optional | --bench) list=$here/packages-${1#--}.txt ;;
esac

fail() {
    echo "packages: $1" >&2
    exit 1
}

command -v dpkg-query >/dev/null 2>&1 ||
    fail "this machine has no dpkg: install what $list names in your system's own way, then run 'make build'"

missing=
for package in $(grep -v '^#' "$list"); do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done

if [ -z "$missing" ]; then
    echo "packages: all of $list are there"
    exit 0
fi
echo "packages: missing:$missing"
[ "${1:-}" = --check ] && fail "'make deps' installs them, as root or with sudo"

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 ||
        fail "installing needs root, and there is no sudo: run 'make deps' as root, then this again"
    as_root=sudo
fi
run_apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
}

echo "packages: fetching the package lists (apt-get update)"
run_apt -qq update ||
    fail "'apt-get update' failed: see above; check the network and /etc/apt/sources.list, then run this again"
echo "packages: installing them (apt-get install)"
# shellcheck disable=SC2086 # one word for each package
run_apt -qq install -y --no-install-recommends $missing >/dev/null ||
    fail "'apt-get install' failed: see above; 'apt-get -f install' mends a half-done installation; then run this again"
echo "packages: done"
