#!/usr/bin/env bash
# The command line as people and scripts use it: help, versions, spellings of keys, where values come from, files for
# programs, what a terminal sees. test_cli.sh BUILD_DIR
set -u
eq=$PWD/$1/equiscale local=$PWD/jobs/local.sh source=$PWD
python=${PYTHON:-/usr/bin/python3}
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0
fail() { echo "FAILED: $*"; bad=1; }
one() { "$eq" "$@"; } # a single process needs no launcher
cd "$here" || exit 1

cat >tiny.yaml <<END
study:
  name: tiny
  arms: [transformer]
  steps: [2, 3]
  datasets: [4]
  test_trajectories: 2
  validation_trajectories: 2
  test_samples: 4
  validation_samples: 4
  fit: false
transformer: {width: [8], depth: [1], heads: [2], lr: [0.0123456789012345]}
train: {batch: 4}
data: {path: "runs/my data.h5", trajectories: 8, frames: 6}
END

# Help and version stand anywhere and need neither file nor MPI; without a launcher they are printed once too.
grep -q "^equiscale $(cat "$source/VERSION") (commit " <("$eq" plan tiny.yaml --version) || fail "--version"
for switch in -h --help; do
    grep -q '^Usage: equiscale plan STUDY.yaml' <("$eq" $switch plan) || fail "$switch before the command"
    grep -q -- '-train_batch .* default 32' <("$eq" plan tiny.yaml $switch) || fail "$switch after it"
done
[ "$("$local" 2 "$eq" --version | grep -c '^equiscale ')" = 1 ] || fail "every rank tells its version"
for command in $("$eq" help | sed -nE '/^Commands/,/^$/s/^  ([a-z]+) .*/\1/p'); do
    "$eq" help "$command" | grep -q "^Usage: equiscale $command" || fail "help $command"
done
for key in train.batch train_batch -train_batch; do
    for command in keys help; do
        grep -q '^  train.batch .*samples' <("$eq" $command $key) || fail "$command $key"
    done
done
for words in "plan tiny.yaml -train_batch -h" "help plan train.batch" "plan tiny.yaml --train.batch --help"; do
    # shellcheck disable=SC2086
    [ "$("$eq" $words | grep -c '^  -train_batch .*samples')" = "$("$eq" $words | wc -l)" ] || fail "$words"
done
grep -q -- '-run_say' <("$eq" help run) || fail "run does not list run.say"
grep -q -- '-run_say' <("$eq" help status) && fail "status lists run.say, which it ignores"
[ "$("$eq" keys train | wc -l)" = "$("$eq" keys | grep -c '^  train\.')" ] || fail "keys of a section"
"$eq" keys -json keys.json >out || fail "keys -json"

# One value in every spelling.
for spelling in "-train_batch 2" "--train_batch 2" "-train.batch 2" "-train_batch=2" "--train.batch=2"; do
    # shellcheck disable=SC2086
    grep -qE '^  train.batch +2 +command line$' <(one keys tiny.yaml $spelling) || fail "spelled $spelling"
done
for list in 4,5 "4, 5" "[4,5]" "[ 4 , 5 ]"; do
    grep -qE '^  study.steps +\[4, 5\] +command line$' <(one keys tiny.yaml -study_steps "$list") || fail "the list $list"
done
grep -qE '^  study.measures +\[\] +command line$' <(one keys tiny.yaml -study_measures '[]') || fail "a list of nothing"
one keys tiny.yaml -study_seeds 3 >sources || fail "keys of a study"
grep -qE '^  study.steps +\[2, 3\] +tiny.yaml:4$' sources || fail "a value of the file: $(grep steps sources)"
grep -qE '^  study.seeds +\[3\] +command line$' sources || fail "a value of the command line"
grep -qE '^  study.folder +runs +default$' sources || fail "a default"

# What was run is kept as a study file that says the same.
one run tiny.yaml -study_seeds 1,2 -quiet >out || fail "run"
[ -s out ] && fail "-quiet says $(head -n 1 out)"
cp runs/tiny/used.yaml again.yaml
values() { one keys "$@" | sed -E 's/  +(default|command line|[^ ]*:[0-9]+)$//'; } # without where they come from
values tiny.yaml -study_seeds 1,2 >first
values again.yaml >second
diff first second >difference || fail "used.yaml differs: $(head -n 3 difference)"
one run again.yaml | grep -q '0 of 4 cells to run' || fail "used.yaml is another study"
cmp -s runs/tiny/used.yaml again.yaml || fail "used.yaml of used.yaml"

# Files for programs.
one plan tiny.yaml -json plan.json >out || fail "plan -json"
one status again.yaml -json=- >status.json || fail "status -json=-"
one status again.yaml -json - | cmp - status.json || fail "-json - and -json=- differ"
one export runs/tiny/results.h5 -csv tables >out || fail "export"
"$python" - <<'END' || fail "files for programs"
import csv, json, h5py
plan, status, keys = (json.load(open(f"{name}.json")) for name in ("plan", "status", "keys"))
assert len(plan["cells"]) == 2 and all(c["seconds"] > 0 and c["flop_executed"] > 0 for c in plan["cells"])
assert status["count"]["done"] == 4 and all(c["loss"] > 0 for c in status["cells"])
assert {"key": "train.batch", "unit": "samples", "default": "32"}.items() <= {k["key"]: k for k in keys["keys"]}["train.batch"].items()
with h5py.File("runs/tiny/results.h5") as f:
    for table in "cells", "curves", "measures":
        rows = list(csv.DictReader(open(f"tables/{table}.csv")))
        header, columns = open(f"tables/{table}.csv").readline().strip().split(","), {}
        for name, column in f[table].items():
            if h5py.h5ds.is_scale(column.id):  # the name of a dimension, not a column
                continue
            if column.ndim == 1:
                columns[name] = column.asstr()[:] if column.dtype.kind == "S" else column[:]
            else:
                columns |= {f"{name}_{i}": column[:, i] for i in range(column.shape[1])}
        assert set(header) == set(columns), table
        for name, values in columns.items():
            for a, b in zip(values, (r[name] for r in rows), strict=True):
                assert a == b if isinstance(a, str) else float(b) == a or a != a, (table, name, a, b)
END

# A benchmark is a command of its own, with the keys that it uses.
"$eq" help bench | grep -qE '^  kernels +kernels of one rank' || fail "help bench lists no benchmarks"
"$eq" help bench io >out 2>&1 && grep -q '^Usage: equiscale bench io \[-key' out && grep -q '^  -repeat' out && ! grep -qE '^  -width|^Benchmarks' out ||
    fail "help bench io: $(cat out)"
"$eq" bench study -h | grep -q '^  -study_arms' || fail "bench study -h has no keys of studies"
"$eq" help bench io width >out 2>&1
[ $? = 2 ] && grep -q '^equiscale help bench io width: want a key that `equiscale bench io -h` lists$' out || fail "help bench io width: $(cat out)"

# A terminal sees codes while cells are trained and nowhere else; dumb ones, and people who ask for none, never.
long="-study_steps 2000"
codes() { # COMMAND: lines with an escape code that a terminal got
    script -qec "$1; true" /dev/null </dev/null | grep -c $'\033'
}
[ "$(codes "$eq help; TERM=xterm $eq keys train")" = 0 ] || fail "terminal codes in help"
[ "$(codes "TERM=xterm $eq run tiny.yaml -study_name a $long")" -gt 0 ] || fail "no live line on a terminal"
[ "$(codes "TERM=dumb $eq run tiny.yaml -study_name b $long")" = 0 ] || fail "codes on a dumb terminal"
[ "$(codes "NO_COLOR=1 TERM=xterm $eq run tiny.yaml -study_name c $long")" = 0 ] || fail "codes in spite of NO_COLOR"

# Scripts say what they want; a study is found by what it is called, however that is written.
for words in "" "0 $eq" "$eq help" 2 "2 $here/nowhere"; do
    # shellcheck disable=SC2086
    "$local" $words >out 2>err
    [ $? = 2 ] && [ "$(grep -c '^jobs/local.sh: .*want' err)" = 1 ] && [ "$(wc -l <err)" = 1 ] || fail "local.sh $words: $(cat err)"
done
sed "s|^  name: tiny|  name: \"flow er\"\n  folder: \"$here/of mine\"|" tiny.yaml | sed "s|runs/my data|$here/my data|" >"my study.yaml"
EQUISCALE=$eq PYTHON=$python "$source/jobs/study.sh" 1 "$here/my study.yaml" >out 2>&1
[ "$(tail -n 1 out)" = "$here/of mine/flow er/report.html" ] || fail "study.sh: $(tail -n 3 out)"
"$python" "$source/analysis/report.py" --help | grep -q '^report.py FOLDER' || fail "report.py --help"

# Completion comes from the program's own lists.
complete_word() { # WORDS...: what is offered for the last one
    PATH=$(dirname "$eq"):$PATH bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _equiscale
        printf "%s\n" "${COMPREPLY[@]}"' - "$source/packages/completion.bash" "$@" 2>/dev/null
}
[ "$(complete_word equiscale sta)" = status ] || fail "completion of a command: $(complete_word equiscale sta)"
[ "$(complete_word equiscale plan tiny.yaml -train_ba)" = -train_batch ] || fail "completion of a key"
[ -z "$(complete_word equiscale verify -train_ba)" ] || fail "completion of a key that verify ignores"
[ "$(complete_word equiscale run tin)" = tiny.yaml ] || fail "completion of a file"
offered() { # WANT WORDS...: all that is offered for the last word, in order
    local want=$1 got
    shift
    got=$(complete_word equiscale "$@" | tr '\n' ' ')
    [ "$got" = "$want " ] || fail "completion of $*: $got"
}
offered "io kernels messages scaling step study" bench ""
offered "messages" bench m
offered "gaussian sum" discover ""
offered "-loss_max" bench study tiny.yaml -loss
offered "train.batch" keys train.ba
offered "status" help sta
offered "transformer_augerino transformer_augmented" run tiny.yaml -study_arms transformer_aug
offered "transformer,gatr transformer,gatr_approximate" run tiny.yaml -study_arms transformer,ga
offered "false true" run tiny.yaml --study_fit ""
offered "huber log loss" fit t.csv -fit.objective = ""
offered "log loss" fit t.csv -fit_objective = lo
offered "tiny.yaml" plan tiny.yaml -json tin
exit $bad
