#!/bin/sh
# The linker of programs that are started often: takes of each library that was found shared its static twin, which stands beside it.
# What has none stays as it is.
#
#   cmake/link-static.sh COMPILER ARGUMENT...      CMake calls it, for what radix_program() calls STATIC
set -eu

for argument; do
    shift
    case $argument in
    /*.so | /*.so.*)
        static=${argument%.so*}.a
        [ ! -e "$static" ] || argument=$static
        ;;
    -lre2) argument=-l:libre2.a ;; # as gRPC's CMake files name it
    esac
    set -- "$@" "$argument"
done
exec "$@"
