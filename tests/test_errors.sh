#!/usr/bin/env bash
# Every error of the user: one line that names the key or the file, exit code 2, nothing overwritten. test_errors.sh BUILD_DIR
set -u
build=$1
. tests/refuse.sh

# The file was made by other options than these.
for command in plan status run generate; do
    refuse 1 'data.h5: holds data made with data.seed = 1, here it is 99: want' $command "$here/good.yaml" -data_seed 99
done
refuse 2 'data.h5: holds data made with data.frames = 6, here it is 7: want' run "$here/good.yaml" -data_frames 7
refuse 1 'data.h5: holds data made with data.bodies_max = 10, here it is 9: want' plan "$here/good.yaml" -data_bodies_max 9
refuse 1 'data.h5: holds 8 trajectories: want data.trajectories = 9' plan "$here/good.yaml" -data_trajectories 9
refuse 1 'data.h5: exists already' generate "$here/good.yaml"

refuse 1 'equiscale: want a command'
refuse 1 'unknown command satus: .*the nearest is status' satus
refuse 1 'keys trian.batch: want a key or a section .* the nearest key is train.batch' keys trian.batch
refuse 2 'want a study file' run
refuse 1 'equiscale bench study: want a study file' bench study
refuse 1 'equiscale plan: want a study file' plan ""
refuse 2 'nowhere.yaml: No such file.*want a readable study file' run "$here/nowhere.yaml"
study 's/batch: 4/batch: 4, batsh: 5/'
refuse 2 'bad.yaml:[0-9]+: unknown key train.batsh .value 5.: .*nearest is train.batch' run "$here/bad.yaml"
refuse 1 'bad.yaml:[0-9]+: unknown key train.batsh .value 5.: .*nearest is train.batch' generate "$here/bad.yaml"
study 's/batch: 4/batch: four/'
refuse 2 'bad.yaml:[0-9]+: train.batch = four: want a whole number in \[1,' run "$here/bad.yaml"
study 's/batch: 4/batch: 0/'
refuse 1 'bad.yaml:[0-9]+: train.batch = 0: want a whole number' run "$here/bad.yaml"
study 's/batch: 4/batch: 4.5/'
refuse 1 'train.batch = 4.5: want a whole number' plan "$here/bad.yaml"
study 's/batch: 4/batch: 4, batch: 5/'
refuse 1 'bad.yaml:[0-9]+: key train.batch appears twice' run "$here/bad.yaml"
study 's/batch: 4/batch: {}/'
refuse 1 'bad.yaml:[0-9]+: train.batch = : want a whole number' plan "$here/bad.yaml"
study 's/^train:.*/train: 5/'
refuse 1 'bad.yaml:[0-9]+: train = 5: want keys of this section below it, such as train\.' plan "$here/bad.yaml"
for nothing in '' null '~' '{}' '# batch: 4'; do # a section without keys
    study "s/^train:.*/train: $nothing/"
    launch 1 keys "$here/bad.yaml" 2>&1 | grep -qE '^  train.batch +32 +default' || { echo "FAILED: train: $nothing"; bad=1; }
done
study 's/name: e/name: null/'
refuse 1 'bad.yaml: study.name = : want a plain word' plan "$here/bad.yaml"
study '$a layout: null'
launch 1 plan "$here/bad.yaml" >"$here/out" 2>&1 || { echo "FAILED: layout: null: $(cat "$here/out")"; bad=1; }
study 's/batch: 4}/batch: 4/'
refuse 1 'bad.yaml:[0-9]+: not YAML' run "$here/bad.yaml"
study 's/width: \[8\]/width: [[8]]/'
refuse 1 'bad.yaml:[0-9]+: a list inside a list' run "$here/bad.yaml"
study 's/transformer\]/transfomer]/'
refuse 1 'study.arms = transfomer: want one of transformer|transformer_augmented|transformer_canonical|gatr' run "$here/bad.yaml"
study 's/name: e/name: "e\\nf"/'
refuse 1 'study.name = e.f: want a plain word' plan "$here/bad.yaml"
study 's/arms: \[transformer\], //'
refuse 1 'key study.arms is missing' run "$here/bad.yaml"
study 's/depth: \[1\]/depth: [1, 2]/'
refuse 1 'transformer.depth.*want one entry for each width, 1 each' run "$here/bad.yaml"
study 's/heads: \[2\]/heads: [16]/'
refuse 1 'heads' run "$here/bad.yaml"
study 's/datasets: \[4\]/datasets: [400]/'
refuse 1 'study.datasets: 400 training' run "$here/bad.yaml"
study 's/width: \[8\], depth: \[1\], heads: \[2\]/width: [8, 12, 16], depth: [1, 1, 1], heads: [2, 2, 2]/; s/steps: \[2\]/steps: [2, 4, 5]/'
refuse 1 'sees 20 samples, 4 trajectories have 16: want 5 trajectories for training .data.trajectories = 9 or more.' plan "$here/bad.yaml"
study 's/steps: \[2\]/budgets: [1e7]/'
refuse 1 'study.budgets = 1e\+07: [01] sizes of transformer meet it .* want at least 5' plan "$here/bad.yaml"
refuse 2 'study.budgets = 1e\+07: [01] sizes of transformer meet it .* want at least 5' run "$here/bad.yaml" -data_path "$here/none.h5"
# Told, since studies of earlier versions have such test sets: 2 trajectories of 4 samples.
launch 1 plan "$here/good.yaml" -study_name more -study_test_samples 9 -study_validation_samples 8 >"$here/out" 2>&1
if [ "$(grep -c 'count more than once' "$here/out")" != 1 ] || ! grep -q 'study.test_samples = 9: 2 trajectories have 8: some' "$here/out"; then
    echo "FAILED: a test set of more samples than there are: $(head -n 3 "$here/out")"
    bad=1
fi
study 's/steps: \[2\], //'
refuse 1 'study.steps, study.budgets: want an entry of one of them' plan "$here/bad.yaml"
: >"$here/empty.yaml"
refuse 1 'empty.yaml: the file is empty' run "$here/empty.yaml"
head -c 3000 /dev/urandom >"$here/noise.yaml"
refuse 1 'noise.yaml' run "$here/noise.yaml"
refuse 1 'command line: unknown key train_lr_max' run "$here/good.yaml" -train_lr_max 1
refuse 1 'command line: -train_batch: want a value' run "$here/good.yaml" -train_batch
refuse 1 'command line: train.batch = -3: want' run "$here/good.yaml" -train_batch -3
refuse 1 '^equiscale run: want a study file before the keys' run -train_batch 4 "$here/good.yaml"
refuse 1 'command line: ranks = 1e9: want a whole number in .0, 16777216. ranks$' plan "$here/good.yaml" -ranks 1e9
refuse 1 'command line: deadline = 24h: want a number in .0, 1e.06. hours$' plan "$here/good.yaml" -deadline 24h
refuse 1 'command line: data.path = x{40}...: want at most 255 letters$' plan "$here/good.yaml" -data_path "$(printf 'x%.0s' {1..256})"
refuse 1 'command line: this command does not use key fit.e' status "$here/good.yaml" -fit.e zero
refuse 1 'command line: this command does not use key design_e' run "$here/good.yaml" -design_e 1
refuse 1 'command line: this command does not use key train_batch' generate "$here/good.yaml" --train_batch=3
refuse 1 'command line: this command does not use key train.batch' export "$here/runs/e/results.h5" -csv "$here/csv" -train.batch 3
refuse 1 'command line: this command does not use key design.e' fit "$here/runs/e/results.h5" -design.e 1
refuse 1 'command line: this command does not use key train_batch' keys -json "$here/keys.json" -train_batch 3
for key in run_say=5 run_watchdog=5 run_limit=5 run_checkpoint=5 study_fit=false study_keep_weights=all; do
    refuse 1 'command line: key (run|study)\.[a-z_]+ has no effect: this command trains nothing' plan "$here/good.yaml" -$key
    refuse 1 'command line: key (run|study)\.[a-z_]+ has no effect: this command trains nothing' status "$here/good.yaml" -$key
done
for key in gatr_lr=1 gatr_width=2 transformer_remul.lr=1 remul_samples=2 clofnet_optimum=1; do
    refuse 1 'command line: key [a-z_]+\.[a-z]+ has no effect: want an arm in study.arms' run "$here/good.yaml" -$key
done
for key in alpha=0.4 from=x noise=0.1; do
    refuse 1 'command line: key design\.[a-z]+ has no effect: want -design beside it' plan "$here/good.yaml" -design_$key
done
refuse 1 'key fit.e has no effect: study.fit is false' run "$here/good.yaml" -fit_e zero
refuse 1 'key fit.columns.n has no effect: a results file' fit "$here/runs/e/results.h5" -fit_columns_n size
refuse 1 'key suggest.budget has no effect: want -suggest' fit "$here/runs/e/results.h5" -suggest_budget 1e9
refuse 1 'key fit.delta has no effect: want fit.objective = huber' fit "$here/runs/e/results.h5" -fit_objective log -fit_delta 0.1
refuse 1 'key fit.surrogate_points has no effect' fit "$here/runs/e/results.h5" -fit_surrogate false -fit_surrogate_points 99
refuse 1 'key width has no effect: this benchmark does not use it' bench messages -width 64
refuse 1 'key depth has no effect: want -model beside it' bench step -depth 2
refuse 1 'command line: key augerino.copies has no effect: want its measurement' run "$here/good.yaml" -augerino_copies 2
study 's/^data:/study_name: f\n&/'
refuse 1 'bad.yaml:5: key study_name appears twice: want it once .line 1 has study.name' run "$here/bad.yaml"
study '$a ---\nstudy: {name: g}'
refuse 1 'bad.yaml:[0-9]+: a second document' run "$here/bad.yaml"
study 's/fit: false/fit: maybe/'
refuse 1 'bad.yaml:[0-9]+: study.fit = maybe: want true or false' plan "$here/bad.yaml"
refuse 1 'help frob: want a command' help frob
refuse 1 'help status train.batsh: want a key that .equiscale status -h. lists' help status train.batsh
refuse 1 'want a results file' export
refuse 1 'key csv is missing' export "$here/runs/e/results.h5"
refuse 1 'good.yaml' export "$here/good.yaml" -csv "$here/csv"
for command in "plan $here/good.yaml" "status $here/good.yaml" "keys $here/good.yaml" keys "bench study $here/good.yaml"; do
    # shellcheck disable=SC2086  # words of a command
    refuse 1 'no/where: No such file.*: want a path that can be written' $command -json "$here/no/where"
    [ ! -s "$here/out" ] || { echo "FAILED: $command works before it knows where to write"; bad=1; }
done
refuse 1 'no/where: No such file.*: want a path that can be written' plan "$here/good.yaml" -csv "$here/no/where"
ln -s nowhere.json "$here/link.json"
refuse 1 'json = .*link.json: a link: want the name of a file, or - for' plan "$here/good.yaml" -json "$here/link.json"
refuse 1 'csv = .*same: want another file than that of json' plan "$here/good.yaml" -json "$here/same" -csv "$here/same"
for key in ranks=2 deadline=5 machine=x csv=x calibrate; do
    refuse 1 'command line: this command does not use key' run "$here/good.yaml" -$key
done
refuse 1 'json = .*good.yaml: want another file than what is read' plan "$here/good.yaml" -json "$here/good.yaml"
refuse 1 'suggest.yaml: No such file.*: want a path that can be written' fit "$here/runs/e/results.h5" -suggest 2 -suggest_file "$here/no/suggest.yaml"
refuse 1 'good.yaml: exists already: want the name of a new file' fit "$here/runs/e/results.h5" -suggest 2 -suggest_file "$here/good.yaml"
refuse 1 'command line: 64: want -key value' run "$here/good.yaml" 64

# Layouts.
refuse 3 'layout.dp x layout.tp = 2 x 1 on 3 ranks: want .* multiple of 2' run "$here/good.yaml" -layout_dp 2 -study_name l
refuse 4 'tp.*(1|2)' run "$here/good.yaml" -layout_tp 4 -study_name l
# Before data are simulated.
for key in layout_tp=3 layout_dp=99 study_test_trajectories=900; do
    refuse 1 "(tp|layout.dp|data.trajectories) = .*want" run "$here/good.yaml" -$key -data_path "$here/early.h5" -study_name early
done
refuse 3 'layout.dp x layout.tp = 2 x 1 on 3 ranks: want' run "$here/good.yaml" -layout_dp 2 -data_path "$here/early.h5" -study_name early
refuse 1 'fit.e has no effect: study.fit is false' run "$here/good.yaml" -fit_e zero -study_fit false -data_path "$here/early.h5" -study_name early
[ ! -e "$here/early.h5" ] || { echo "data were simulated for a study that is refused"; bad=1; }
# A plan refuses it too.
refuse 1 'data.trajectories = .*: want at least 9' plan "$here/good.yaml" -study_test_trajectories 900 -data_path "$here/early.h5"
study '$a layout: fast'
refuse 1 'bad.yaml:[0-9]+: layout.dp = fast: want auto, or a whole number in \[0,' plan "$here/bad.yaml"
study '$a layout: auto\nlayout_dp: 2'
refuse 1 'bad.yaml:[0-9]+: key layout_dp appears twice: want it once .line [0-9]+ has layout' plan "$here/bad.yaml"
refuse 1 'command line: unknown key study .value 5.' plan "$here/good.yaml" -study 5

# Files of another study, broken files.
refuse 1 'train.beta2 = .* there, 0.95 here' run "$here/good.yaml" -train_beta2 0.95
refuse 1 'transformer.lr.* there, .* here' run "$here/good.yaml" -transformer_lr 0.123
cp "$here/data.h5" "$here/data.keep"
head -c 2000 "$here/data.keep" >"$here/data.h5"
refuse 2 'data.h5' run "$here/good.yaml" -study_name b
echo 'not HDF5' >"$here/data.h5"
refuse 2 'data.h5' run "$here/good.yaml" -study_name b
cp "$here/data.keep" "$here/data.h5"
cp "$here/runs/e/results.h5" "$here/results.keep"
refuse 1 'runs/e/results.h5: train.beta2 = .* there' run "$here/good.yaml" -train_beta2 0.95 -transformer_width 16
head -c 1500 "$here/results.keep" >"$here/runs/e/results.h5"
refuse 1 'runs/e/results.h5' run "$here/good.yaml"
cp "$here/results.keep" "$here/runs/e/results.h5"
refuse 1 'nodir' run "$here/good.yaml" -study_folder "$here/nodir/runs"
refuse 1 'nothing.h5' fit "$here/nothing.h5"
refuse 1 'noise.yaml' fit "$here/noise.yaml"
exit $bad
