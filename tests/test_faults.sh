#!/usr/bin/env bash
# TEST alone
# The short form of `make faults`: too little room, file systems that lack something, some of the calls on files that can go wrong, some kills.
# test_faults.sh BUILD_DIR
set -u
bash tests/faults/space.sh "$1" || exit 1
bash tests/faults/poor.sh "$1" || exit 1
bash tests/faults/shim.sh "$1" 120 41 || exit 1
bash tests/faults/kills.sh "$1" 60 3
