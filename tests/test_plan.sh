#!/usr/bin/env bash
# Plans and what runs by them: layouts that the program chooses on 1 to 4 ranks give every cell once and the losses of the plain
# layout; files for programs, deadlines, other numbers of ranks, described machines, what fits nowhere. test_plan.sh BUILD_DIR
set -u
build=$1
python=${PYTHON:-/usr/bin/python3}
source tests/refuse.sh # makes $here
export XDG_CACHE_HOME=$here/cache
mkdir -p "$XDG_CACHE_HOME"
fail() { echo "FAILED: $*"; exit 1; }
eq() { local n=$1; shift; jobs/local.sh "$n" "$build/equiscale" "$@"; }

cat >"$here/s.yaml" <<END
study:
  name: s
  folder: $here/runs
  arms: [transformer, gatr]
  steps: [4, 12, 400]
  datasets: [40]
  measures: []
  fit: false
  test_trajectories: 8
  validation_trajectories: 4
  test_samples: 32
  validation_samples: 16
transformer:
  width: [8, 16]
  depth: [1, 2]
  heads: [2, 2]
gatr:
  width: [2, 4]
  depth: [1, 1]
  heads: [2, 2]
  lr: [2e-3]                # low, so that rounding does not grow in 400 steps
train:
  batch: 8
  evaluations: 2
data:
  path: $here/s.h5
  trajectories: 60
  frames: 8
  bodies_max: 4
END

# A grid by budgets, in which one arm has more seeds and fewer sizes than the others.
sed 's/steps: .*/budgets: [1e10, 2e10]/; s/arms: .*/arms: [transformer, transformer_augmented]/; s/trajectories: 60/trajectories: 60000/
    s/datasets: .*/datasets: [50000]/; s/width: \[8, 16\]/width: [8, 9, 10, 12, 14, 16]/
    s/depth: \[1, 2\]/depth: [1, 1, 1, 1, 1, 1]/; s/heads: \[2, 2\]$/heads: [1, 1, 1, 1, 1, 1]/' "$here/s.yaml" >"$here/budgets.yaml"
eq 1 plan "$here/budgets.yaml" -study_budget_seeds 2,1 -transformer_augmented_budget_seeds 1,4 -transformer_augmented_budget_sizes 5 \
    -json "$here/budgets.json" >"$here/log" 2>&1 || fail "plan by budgets: $(tail -n 1 "$here/log")"
$python - "$here/budgets.json" <<'END' || fail "seeds and sizes of an arm at the budgets"
import collections, json, sys
cells = [c for c in json.load(open(sys.argv[1]))["cells"] if c.get("role", "grid") == "grid"]
runs = collections.Counter(c["id"].split("-")[0] for c in cells)
assert runs == {"transformer": 6 * (2 + 1), "transformer_augmented": 5 * (1 + 4)}, runs
END
eq 1 plan "$here/budgets.yaml" -transformer_augmented_budget_seeds 1,2,3 >"$here/log" 2>&1
[ $? -eq 2 ] && grep -q "transformer_augmented.budget_seeds: want one entry" "$here/log" || fail "three entries: $(tail -n 1 "$here/log")"

# Rates of default rules far beyond the sizes, lengths and the batch of their sweep are said to be extrapolated; those of an arm that
# has a rule of its own, or sweeps its rate, are not.
far() { # HOW MANY KEYS...: cells whose rates are said to be that, none or so many
    local want=$1
    shift
    eq 1 plan "$here/s.yaml" "$@" >"$here/log" 2>&1 || fail "plan $*: $(tail -n 1 "$here/log")"
    grep -q "learning rates of $want of 12 cells are extrapolated: .* batch 8, and these go up to " "$here/log" && return
    [ "$want" = none ] && ! grep -q extrapolated: "$here/log" || fail "plan $*: $(grep 'learning rates' "$here/log" || echo nothing), want $want"
}
far none -train_batch 32 -study_steps 4,12,150000
far 6 -train_batch 33 # gatr has its own
far none -train_batch 33 -transformer_lr 1e-3,2e-3 -study_steps 4
far none -train_batch 33 -transformer_lr_steps_exponent 0.42
far 2 -study_steps 4,12,150001
far 3 -transformer_width 8,256 # N of 1.3e6

# A dataset that is not there yet is stood in for by trajectories cut short: memory and samples are those of the whole ones.
long() { eq 1 plan "$here/s.yaml" -data_path "$here/long.h5" -data_frames "$@" >"$here/log" 2>&1; }
long 100000 || fail "plan of long trajectories: $(tail -n 1 "$here/log")"
long 200 -study_steps 1000,1200,2000 -transformer_width 8,12,16 -transformer_depth 1,1,1 -transformer_heads 2,2,2
[ $? -eq 2 ] && grep -q "40 trajectories have $((40 * 198))" "$here/log" || fail "samples of long trajectories: $(tail -n 1 "$here/log")"
long 200 -json "$here/absent.json" && eq 1 generate "$here/s.yaml" -data_path "$here/long.h5" -data_frames 200 >"$here/log" 2>&1 &&
    long 200 -json "$here/made.json" || fail "plans of long trajectories: $(tail -n 1 "$here/log")"
$python - "$here/absent.json" "$here/made.json" <<'END' || fail "memory of a dataset that is not there yet"
import json, sys
absent, made = (max(c["bytes"] for c in json.load(open(f))["cells"]) for f in sys.argv[1:])
assert abs(absent / made - 1) < 0.15, (absent, made)
END

# Every cell once on any number of ranks; where the layout is the plain one, its bits.
for n in 1 2 3 4; do
    eq "$n" run "$here/s.yaml" -study_name "auto$n" >"$here/log$n" 2>&1 || fail "$n ranks: $(tail -n 3 "$here/log$n")"
    grep -q "12 of 12 cells to run on $n ranks*, in blocks of " "$here/log$n" || fail "$n ranks: $(head -n 5 "$here/log$n")"
    [ "$(grep -c GFLOP/s "$here/log$n")" = 12 ] || fail "$n ranks: a line a cell"
done
eq 2 run "$here/s.yaml" -study_name fixed -layout_dp 1 >"$here/log" 2>&1 || fail "fixed: $(tail -n 3 "$here/log")"
eq 2 run "$here/s.yaml" -study_name auto3 -layout_dp 2 >"$here/log" 2>&1 || fail "another layout: $(tail -n 3 "$here/log")"
grep -q '0 of 12 cells to run' "$here/log" || fail "a cell is not known by its layout: $(cat "$here/log")"
# What has run is left out of a plan where that is asked for: all of it, or two thirds of it.
eq 2 plan "$here/s.yaml" -study_name auto3 -left -deadline 1 >"$here/left" 2>&1 || fail "plan -left: $(tail -n 3 "$here/left")"
grep -q "^all 12 cells have run in $here/runs/auto3: nothing is left$" "$here/left" && [ "$(grep -c . "$here/left")" = 1 ] ||
    fail "nothing is left: $(cat "$here/left")"
eq 2 plan "$here/s.yaml" -study_name auto3 -study_seeds 1,2,3 -left -json "$here/left.json" -csv "$here/left.csv" >"$here/left" 2>&1 ||
    fail "plan -left: $(tail -n 3 "$here/left")"
grep -q '^24 cells; N: ' "$here/left" && grep -q "^12 of 36 cells have run in $here/runs/auto3, and are left out$" "$here/left" ||
    fail "24 cells are left: $(tail -n 12 "$here/left")"
"$python" - "$here" <<'END' || fail "files of what is left"
import csv, json, sys
left = json.load(open(sys.argv[1] + "/left.json"))
assert len(left["cells"]) == 24 and left["left_out"] == 12 and {c["seed"] for c in left["cells"]} == {2, 3}
assert all(c["seconds"] > 0 for c in left["cells"])
assert [r["id"] for r in csv.DictReader(open(sys.argv[1] + "/left.csv"))] == [c["id"] for c in left["cells"]]
END
# How long the ranks of a run were without a cell, beside the plan, in a file; a run without cells leaves it.
grep -q '^.*12 cells in .* on 3 ranks, which were without a cell for ' "$here/log3" || fail "idle: $(tail -n 3 "$here/log3")"
"$python" - "$here/runs/auto3/run.json" <<'END' || fail "run.json"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["ranks"] == 3 and r["cells"] == 12 and 0 <= r["idle_share"] < 1, r
assert abs(1 - r["rank_seconds"] / (3 * r["seconds"]) - r["idle_share"]) < 1e-9, r
assert r["planned_seconds"] > 0 and r["planned_rank_seconds"] <= 3 * r["planned_seconds"] * (1 + 1e-9), r
assert r["reading_share"] == 0, r
END
# Data that are larger than the memory for them: the same bits, and the share of time that went into reading.
eq 2 run "$here/s.yaml" -study_name disk -layout_dp 1 -study_data_memory 0 >"$here/log" 2>&1 || fail "disk: $(tail -n 3 "$here/log")"
grep -q 's.h5 does not fit into study.data_memory: waits for it took [0-9.]* % of the time of cells' "$here/log" ||
    fail "disk: $(tail -n 3 "$here/log")"
"$python" - "$here/runs/disk" "$here/runs/fixed" <<'END' || fail "disk: run.json, losses"
import json, sys, h5py
assert 0 < json.load(open(sys.argv[1] + "/run.json"))["reading_share"] < 1
disk, memory = (h5py.File(folder + "/results.h5") for folder in sys.argv[1:])
assert (disk["cells/loss"][:] == memory["cells/loss"][:]).all()
END
# The word is the default, the last that is given counts, and used.yaml has it.
(cat "$here/s.yaml"; echo 'layout: auto') >"$here/word.yaml"
grep -q '^  dp: auto$' "$here/runs/auto2/used.yaml" || fail "used.yaml: $(grep -A 2 layout "$here/runs/auto2/used.yaml")"
for layout in auto 1 0; do
    eq 2 plan "$here/word.yaml" -layout_dp "$layout" -json "$here/$layout.json" >/dev/null 2>"$here/log" || fail "$(cat "$here/log")"
done
sed 's/layout: auto/layout: {dp: 1}/' "$here/word.yaml" >"$here/fixed.yaml"
eq 2 plan "$here/fixed.yaml" -layout auto -json "$here/over.json" >/dev/null 2>"$here/log" || fail "$(cat "$here/log")"
"$python" - "$here" <<'END' || fail "layout: auto"
import json, sys
def layouts(name): return [(c["dp"], c["tp"], c["block"]) for c in json.load(open(f"{sys.argv[1]}/{name}.json"))["cells"]]
assert layouts("auto") == layouts("0") == layouts("over")
assert all(c[:2] == (1, 1) for c in layouts("1"))
END
"$python" - "$here/runs" <<'END' || fail "layouts"
import sys, h5py, numpy as np
def read(name):
    with h5py.File(f"{sys.argv[1]}/{name}/results.h5") as f:
        return {k: f["cells"][k][()] for k in ("id", "loss", "dp", "tp", "outcome")}
plain = read("auto1")
assert (plain["dp"] == 1).all() and (plain["tp"] == 1).all() and len(set(plain["id"])) == 12
fixed = read("fixed")
assert (fixed["id"] == plain["id"]).all() and (fixed["loss"] == plain["loss"]).all() and (fixed["dp"] == 1).all()
for n in 2, 3, 4:
    here = read(f"auto{n}")
    ranks = here["dp"] * here["tp"]
    assert (here["id"] == plain["id"]).all() and ranks.max() <= n, n
    same = ranks == 1
    assert (here["loss"][same] == plain["loss"][same]).all(), f"{n} ranks: bits of the plain layout"
    worst = np.abs(here["loss"] / plain["loss"] - 1).max()
    assert worst < 5e-3, (n, worst)
    print(f"measured on {n} ranks: {same.sum()} of 12 cells on one rank, losses differ by at most {worst:.1e}")
END

# The files say what the table says; what was measured once is kept.
eq 1 plan "$here/s.yaml" -json "$here/a.json" -csv "$here/a.csv" >"$here/table" || fail plan
grep -q '^on 1 rank, 1 node of ' "$here/table" || fail "one rank: $(grep '^on 1' "$here/table")"
eq 1 plan "$here/s.yaml" -json "$here/b.json" >/dev/null || fail "plan again"
# Timings are kept for the job that makes them, whatever it plans for; ranks that are fewer than the cores have one each.
lone="$here/lone"
mkdir "$lone"
XDG_CACHE_HOME=$lone launch 1 plan "$here/s.yaml" -ranks 2 >"$here/log" 2>&1 || fail "plan -ranks 2: $(cat "$here/log")"
if ! cat "$lone"/equiscale/cost-* | grep -q ' on 1 ranks' || cat "$lone"/equiscale/cost-* | grep ' on 2 ranks'; then
    fail "one rank keeps timings of two"
fi
[ "$(nproc)" = 1 ] || eq 1 plan "$here/s.yaml" -ranks 2 | grep -q '^on 2 ranks, 1 node of ' || fail "a rank does not see the other cores"
XDG_CACHE_HOME=$lone eq 5 plan "$here/s.yaml" -ranks 1 -json "$here/one.json" >"$here/log" 2>&1 || fail "plan -ranks 1: $(cat "$here/log")"
grep -q 'timed with 5 ranks on a node, and here it has 1' "$here/log" || fail "not told: $(tail -n 5 "$here/log")"
grep -q '"cores_a_rank": 1\.0' "$here/one.json" || fail "one rank shares cores: $(head -n 12 "$here/one.json")"
eq 1 plan "$here/s.yaml" -calibrate -json "$here/c.json" >/dev/null || fail "plan -calibrate"
archer="-machine input/machines/archer2.yaml"
# shellcheck disable=SC2086  # two words
eq 1 plan "$here/s.yaml" $archer -ranks 1000 -json "$here/far.json" >"$here/far" || fail "a described machine"
eq 1 plan "$here/s.yaml" -deadline 1e-9 -json "$here/none.json" >"$here/late" || fail "deadline"
eq 1 plan "$here/s.yaml" -deadline 1e5 >"$here/early" || fail "deadline far away"
grep -q 'it does not end in time' "$here/late" || fail "$(tail -n 3 "$here/late")"
grep -q 'it ends in time' "$here/early" || fail "$(tail -n 3 "$here/early")"
grep -q 'steps of 12 cells: measured, timed on this machine' "$here/table" || fail "what is measured: $(tail -n 8 "$here/table")"
grep -q 'steps of 12 cells: described' "$here/far" || fail "what is described: $(tail -n 8 "$here/far")"
"$python" - "$here" <<'END' || fail "files"
import csv, json, sys
a, b, c, far, none = (json.load(open(f"{sys.argv[1]}/{n}.json")) for n in ("a", "b", "c", "far", "none"))
rows = list(csv.DictReader(open(f"{sys.argv[1]}/a.csv")))
assert len(rows) == len(a["cells"]) == 12
for row, cell in zip(rows, a["cells"]):
    assert row["id"] == cell["id"] and int(row["N"]) == cell["parameters"] and int(row["bytes"]) == cell["bytes"] > 0
    assert abs(float(row["seconds"]) / cell["seconds"] - 1) < 1e-5 and cell["step"] == "measured" and cell["block"] == 1
assert a["makespan"] == b["makespan"] != c["makespan"], "kept, and measured again when asked"
assert abs(sum(c["seconds"] for c in a["cells"]) / a["makespan"] - 1) < 1e-6 and a["utilisation"] > 0.999
assert abs(a["core_hours"] - a["makespan"] / 3600) < 1e-9 and a["refused"] == 0
assert a["critical"] in {c["id"] for c in a["cells"]}
assert far["machine"] == "ARCHER2" and far["ranks"] == 1000 and far["nodes"] == 8 and far["sums_between_nodes"] == "described"
assert max(c["block"] for c in far["cells"]) > 1
assert abs(far["node_hours"] - far["makespan"] * 8 / 3600) < 1e-9
assert 0 < a["rounds_least"] <= 1 <= a["rounds_most"] == b["rounds_most"] and far["rounds_most"] is None
assert len(none["deadline"]["drop"]) == 12 and none["deadline"]["makespan"] == 0
END

# Nodes have temporary folders of their own, and none is left behind in them.
mkdir "$here/tmp0" "$here/tmp1"
# shellcheck disable=SC2016  # each rank's shell reads it
eq_with_own_folder='TMPDIR=$0/tmp$OMPI_COMM_WORLD_RANK exec "$@"'
jobs/local.sh 2 sh -c "$eq_with_own_folder" "$here" "$build/equiscale" plan "$here/s.yaml" -data_path "$here/none.h5" >"$here/log" 2>&1 ||
    fail "temporary folders that differ: $(tail -n 3 "$here/log")"
[ -z "$(ls "$here/tmp0" "$here/tmp1" | grep equiscale)" ] || fail "left behind: $(ls "$here"/tmp?)"

# Half of the time, by the timings that are kept last, is for half of the work: the dearest cells go.
half=$("$python" -c "import json; c = json.load(open('$here/c.json')); print(c['makespan'] / 2 / 3600)")
eq 1 plan "$here/s.yaml" -deadline "$half" -json "$here/half.json" >/dev/null || fail "half of the time"
"$python" - "$here" <<'END' || fail "deadline"
import json, sys
half = json.load(open(f"{sys.argv[1]}/half.json"))
drop = half["deadline"]["drop"]
cost = {c["id"]: c["seconds"] for c in half["cells"]}
assert half["deadline"]["makespan"] <= 3600 * half["deadline"]["hours"]
assert 0 < len(drop) < 12 and min(cost[d] for d in drop) >= max(cost[i] for i in cost if i not in drop), drop
END

# One cell is no cells, and one that does not end in time leaves no rest.
one="-study_arms transformer -study_steps 4 -transformer_width 8 -transformer_depth 1 -transformer_heads 2"
# shellcheck disable=SC2086  # words
eq 1 plan "$here/s.yaml" $one -deadline 1e-9 >"$here/one" || fail "one cell"
grep -q '^1 cell; N: ' "$here/one" && grep -q '^steps of 1 cell: ' "$here/one" && grep -q '^no cell ends by then' "$here/one" &&
    ! grep -q '^without' "$here/one" || fail "one cell: $(tail -n 8 "$here/one")"
# shellcheck disable=SC2086  # words
eq 1 status "$here/s.yaml" $one -study_name one >"$here/one" || fail "status of one cell"
grep -q '^1 cell: 1 planned' "$here/one" || fail "status of one cell: $(tail -n 1 "$here/one")"

# What fits nowhere is named, the rest is planned.
eq 1 plan "$here/s.yaml" -transformer_width 8,512 -run_memory 8 -study_data_memory 0 >"$here/small" || fail "memory"
grep -q '^transformer-w512.* does not fit: needs .* MiB on each' "$here/small" || fail "memory: $(tail -n 6 "$here/small")"
eq 1 plan "$here/s.yaml" -study_arms transformer -transformer_width 512,520 -run_memory 8 -deadline 1 >"$here/small" ||
    fail "nothing fits"
grep -q '^no cell runs on 1 rank of this machine$' "$here/small" && ! grep -qE 'core-hours|^cells on blocks|^deadline' "$here/small" ||
    fail "nothing fits: $(tail -n 6 "$here/small")"
# On a described machine too, where the study says how much memory a node has: that is what a run there would go by.
# shellcheck disable=SC2086  # words
eq 1 plan "$here/s.yaml" -transformer_width 8,512 -run_memory 8 -study_data_memory 0 $archer -ranks 1 >"$here/small" || fail "memory there"
grep -q '^transformer-w512.* does not fit: needs .* MiB on each of 1 rank of a node, which has 8.0 MiB' "$here/small" ||
    fail "memory there: $(tail -n 6 "$here/small")"

# Simulated refits are those of the study's fit, unless design.* says otherwise.
refits() { # LINE STUDY ARGUMENT ...
    eq 1 plan "$here/$2" -design -design_simulations 40 "${@:3}" >"$here/design" 2>&1 || fail "design: $(tail -n 1 "$here/design")"
    grep -qx "  refits by $1" "$here/design" || fail "refits by $1: $(grep 'refits by' "$here/design")"
}
{ cat "$here/s.yaml"; echo 'fit: {e: zero, objective: log}'; } >"$here/fit.yaml"
refits 'Huber on log loss, E free' s.yaml
refits 'least squares on log loss, E = 0' fit.yaml
grep -q '^design: 40 simulated refits of L = 0 +' "$here/design" || fail "design: $(grep '^design' "$here/design")"
refits 'least squares on loss, E free' fit.yaml -design_objective loss -design_e 0.01
eq 1 plan "$here/s.yaml" -design -design_budget 1e30 >"$here/design" 2>&1
[ $? = 2 ] && grep -q '^design.budget = 1e+30: the cells of transformer have .* executed FLOP: want a budget within 10 times of these' "$here/design" ||
    fail "a budget out of reach: $(tail -n 2 "$here/design")"

# A large study is short on a terminal.
seeds=$(seq -s, 1 60)
eq 1 plan "$here/s.yaml" -study_seeds "$seeds" -csv "$here/many.csv" >"$here/many" || fail "many cells"
[ "$(wc -l <"$here/many")" -lt 60 ] || fail "many cells: $(wc -l <"$here/many") lines"
grep -q '^... and 700 more' "$here/many" || fail "many cells: $(cat "$here/many")"
[ "$(wc -l <"$here/many.csv")" = 721 ] || fail "many cells: rows"

refuse 3 'layout.dp x layout.tp = 2 x 1 on 3 ranks: want .* multiple of 2' plan "$here/s.yaml" -layout_dp 2
# shellcheck disable=SC2086  # two words
refuse 1 'ARCHER2 has 5860 nodes of 128 ranks: want -ranks of at most 750080' plan "$here/s.yaml" $archer -ranks 750081
# shellcheck disable=SC2086  # two words
refuse 1 'archer2.yaml: want -ranks' plan "$here/s.yaml" $archer
# shellcheck disable=SC2086  # two words
refuse 1 'key calibrate has no effect: nothing is measured' plan "$here/s.yaml" $archer -ranks 2 -calibrate
sed 's/share: .*/share: 2/' input/machines/fugaku.yaml >"$here/bad.yaml"
refuse 1 'bad.yaml:[0-9]+: machine.share = 2: want' plan "$here/s.yaml" -machine "$here/bad.yaml" -ranks 2
sed 's/  share/  cake/' input/machines/fugaku.yaml >"$here/bad.yaml"
refuse 1 'machine.share' plan "$here/s.yaml" -machine "$here/bad.yaml" -ranks 2
refuse 1 'quick.yaml:[0-9]+: key study.name: want keys of machine alone' plan "$here/s.yaml" -machine input/quick.yaml -ranks 2
refuse 1 'no/where.*: No such' plan "$here/s.yaml" -csv "$here/no/where"
[ "$bad" = 0 ] || fail "see above"
