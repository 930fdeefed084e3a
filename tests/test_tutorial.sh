#!/usr/bin/env bash
# docs/tutorial.md, executed: its diffs applied, its files written, its commands run, in a copy of the sources.
set -eu
build=$1
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
fail() { echo "FAILED: $1"; exit 1; }

tar -cf - --exclude=./build --exclude=./runs --exclude=./.git . | tar -xf - -C "$t"
# Objects that the steps do not touch need not be made again.
mkdir -p "$t/build" "$t/bin"
[ "$(basename "$build")" != opt ] || cp -a "$build" "$t/build/opt"
# The interpreter that has h5py and matplotlib is python3 here, whatever comes first on the PATH.
ln -s "${PYTHON:-/usr/bin/python3}" "$t/bin/python3"
export PATH=$t/bin:$PATH
# The reader's make is not told what the one around this test was.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MODE PRECISION
cd "$t"

python3 - docs/tutorial.md <<'P'
import re
import subprocess
import sys
from pathlib import Path

text = Path(sys.argv[1]).read_text(encoding="utf-8")
name, commands, blocks = None, [], 0
for found in re.finditer(r"^\*\*(?P<name>[\w./]+)\*\*$|^```(?P<kind>\w+)\n(?P<body>.*?)^```$", text, re.M | re.S):
    if found["name"]:
        name = found["name"]
        continue
    blocks += 1
    if found["kind"] == "diff":
        subprocess.run(["patch", "-p1", "--fuzz=0", "--batch"], input=found["body"], text=True, check=True)
    elif found["kind"] == "sh":
        commands.append(found["body"])
    else:
        assert name, "a block without the name of its file"
        Path(name).write_text(found["body"], encoding="utf-8")
        name = None
assert blocks >= 6, "the page has lost its steps"
Path("commands.sh").write_text("set -eu\n" + "".join(commands), encoding="utf-8")
P
bash commands.sh >out 2>&1 || { tail -n 20 out; fail "a command of the tutorial"; }

grep -q gatr_augmented-w2 out || fail "the arm was not trained"
grep -q amplitude out || fail "no row of the measurement"
[ -s runs/tutorial/figures/learning-curves.svg ] || fail "no figure"
for word in "Learning curves" amplitude "augmented"; do grep -q "$word" runs/tutorial/report.html || fail "not on the page: $word"; done
build/opt/equiscale keys | grep -q gatr_augmented.lr_exponent || fail "no key of the arm"
