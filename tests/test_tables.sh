#!/usr/bin/env bash
# Tables as people have them, through the command line: the same rows in many forms give the same law; what is left out,
# assumed or doubtful is said; what cannot be read is refused in one line.  usage: tests/test_tables.sh BUILD_DIR
set -u
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
bad=0
complain() { echo "FAILED: $*"; bad=1; }

# 6 x 5 runs of a known law.
awk 'BEGIN { print "N,D,loss"; srand(5)
    for (i = 0; i < 6; i++) for (j = 0; j < 5; j++) {
        n = 3e6 * 3 ^ i; d = 1e8 * 4 ^ j; z = 1 + 0.004 * (rand() - 0.5)
        printf "%.0f,%.0f,%.5f\n", n, d, (1.7 + 280 / n ^ 0.33 + 900 / d ^ 0.35) * z } }' >"$folder/plain.csv"

# fit ARGUMENTS: one rank, few starts; what it prints is in $folder/out, and its one arm's E, A, B, alpha, beta in $law.
fit() {
    local code
    "$build/equiscale" fit -fit_starts few -fit_bootstraps 20 -fit_surrogate false "$@" >"$folder/out" 2>"$folder/err"
    code=$?
    [ $code = 0 ] || cat "$folder/err" >>"$folder/out" # else it holds how far the fit was
    law=$(awk '$1 == "arm" { getline; print $2, $3, $4, $5, $6; exit }' "$folder/out")
    return $code
}
same() { # FILE ARGUMENTS: the law of the plain table
    fit "$@"
    [ "$law" = "$want" ] || complain "$(basename "$1"): ${law:-no law}, want $want: $(tail -n 1 "$folder/out" | cut -c1-200)"
}
said() { # PATTERN: so says the last fit
    grep -qE -- "$1" "$folder/out" || complain "does not say: $1: $(head -n 3 "$folder/out")"
}
refuse() { # PATTERN ARGUMENTS: exit code 2 and one line
    local pattern=$1 code
    shift
    fit "$@"
    code=$?
    [ $code = 2 ] && [ "$(wc -l <"$folder/out")" = 1 ] && grep -qE -- "$pattern" "$folder/out" ||
        complain "$* ($code): wanted $pattern: $(head -c 300 "$folder/out")"
}
fit "$folder/plain.csv" -json -
${PYTHON:-/usr/bin/python3} -c "import json, sys; assert json.load(open(sys.argv[1]))['points'] == 30" "$folder/out" || complain "-json - is no JSON"
fit "$folder/plain.csv"
want=$law
[ "$(wc -w <<<"$want")" = 5 ] || complain "the plain table has no law: $want"
make_from() { # NAME SED_SCRIPT
    sed -E "$2" "$folder/plain.csv" >"$folder/$1"
}

# ---- A multiple that is not the same at every loss. ----
awk -F, 'NR == 1 { print $0 ",arm"; next } {
    print $0 ",x"; print $1 "," $2 "," $3 + 700 / $1 ^ 0.4 ",y"; print $1 "," $2 "," $3 * 1.001 ",z" }' "$folder/plain.csv" >"$folder/arms.csv"
fit "$folder/arms.csv" -fit_bootstraps 100
said '    y, nominal: a mean; [0-9.]+ \[.*\] at loss [0-9.]+, [0-9.]+ \[.*\] at [0-9.]+$'
grep -q 'z, nominal: a mean' "$folder/out" && complain "a multiple that does not change: $(grep 'z, nominal' "$folder/out")"

# ---- What is asked for and not had. ----
fit "$folder/plain.csv" -fit_currency joules -fit_budgets_executed 1e16
said 'fit.currency = joules: not every row has joules \(-fit_columns_joules NAME\): arms are put beside each other in nominal FLOP'
said 'fit.budgets_executed: not every row has executed FLOP \(-fit_columns_executed NAME\): no allocation of it'
said 'fit.bootstraps = 20: .* less than 95 %: want 39 or more'
fit "$folder/plain.csv" -fit_currency nominal -fit_budgets 1e16 -fit_bootstraps 39
grep -q 'note: fit\.' "$folder/out" && complain "a note where all is had: $(grep 'note: fit' "$folder/out")"
fit "$folder/plain.csv" -fit_bootstraps 1
said 'fit.bootstraps = 1: no intervals'
grep -q '\[[^]%]*, [^]]*\]' "$folder/out" && complain "an interval of one resample: $(grep -m 1 '\[[^]%]*, ' "$folder/out")"

refuse 'plain.csv: fit.columns.n and fit.columns.d: both are the column D: want two' "$folder/plain.csv" -fit_columns_n D
refuse 'plain.csv: fit.columns.d and fit.columns.loss: both are the column D: want two' "$folder/plain.csv" -fit_columns_loss D

# ---- The same rows. ----
make_from marked.csv '1s/^/\xef\xbb\xbf/; s/,/;/g; s/$/\r/'
same "$folder/marked.csv"
make_from german.csv 's/,/;/g; s/\./,/; s/^([0-9]+)([0-9]{3})([0-9]{3});/\1.\2.\3;/'
same "$folder/german.csv"
make_from grouped.tsv 's/,/\t/g; s/^([0-9]+)([0-9]{3})([0-9]{3})\t/"\1,\2,\3"\t/'
same "$folder/grouped.tsv"
make_from named.csv '1s/.*/Parameters,Training Tokens,Val-Loss/'
same "$folder/named.csv"
said 'columns by their usual names: N = Parameters, D = Training Tokens, loss = Val-Loss'
make_from blanks.txt 's/,/   /g'
same "$folder/blanks.txt"
make_from savetxt.txt '1s/^/# /; s/,/ /g'
same "$folder/savetxt.txt"
make_from hashed.csv '1s/.*/#Params,tokens,loss,host/; 2,$s/$/,node-a/'
same "$folder/hashed.csv"
make_from unseen.csv '1s/.*/\xe2\x80\x8bN," D",loss/; s/,([0-9]+),/," \1 ",/; 2,$s/$/\xc2\xa0/'
same "$folder/unseen.csv" -fit_columns_d D
make_from quoted.csv 's/([^,]+)/"\1"/g; 1s/$/,"notes"/; 2,$s/$/,"first line\nsecond, ""line"""/'
same "$folder/quoted.csv"
make_from repeated.csv '9s/$/\nN,D,loss/; 12s/$/\n\n  \n,,/'
same "$folder/repeated.csv"
said '1 line that repeats the header left out'
make_from trailing.csv 's/$/,/'
same "$folder/trailing.csv"
make_from wide.csv "1s/\$/$(printf ',x%d' $(seq 400))/; 2,\$s/\$/$(printf ',%d' $(seq 400))/"
same "$folder/wide.csv"
gzip -k "$folder/plain.csv"
same "$folder/plain.csv.gz"
make_from unfinished.csv '4s/$/\n,,running\n3e6,1e9,inf\n3e6,1e9,\n-,-,N\/A\n3e6,1e9,0\n3e6,1e9,None\n3e6,1e9,#N\/A\n3e6,1e9,running/'
same "$folder/unfinished.csv"
said 'left out: 8 rows, no usable loss'
said '"running", 2 times'
awk -F, '{ print } NR > 1 && NR <= 21 { print $1 "," $2 ",state" substr("abcdefghijklmnopqrstuvwxyz", NR, 1) " of host " NR }' \
    "$folder/plain.csv" >"$folder/words.csv"
same "$folder/words.csv" -json "$folder/words.json"
said '"stateb of host #", 1 time; .*"statem of host #", 1 time; other words, 8 times'
[ "$(grep -c '"word": "state[b-u] of host #"' "$folder/words.json")" = 20 ] || complain "words are missing in the JSON file"
awk -F, -v OFS=, 'NR > 1 { $1 /= 1e9; $2 /= 1e9 } { print }' "$folder/plain.csv" >"$folder/billions.csv"
fit "$folder/billions.csv"
said 'note: N is below 1 in 30 rows: not in parameters\?'
awk -F, 'NR == 1 { print "N,D,C,loss"; next } { d = $2; c = 6 * $1 * $2; n = $1
    if (NR % 3 == 0) d = "-"; if (NR % 5 == 1) c = ""; if (NR % 7 == 4 && d != "-" && c) n = "N/A"
    if (d == "-" && c == "") c = 6 * $1 * $2
    printf "%s,%s,%s,%s\n", n, d, c, $3 }' CONVFMT=%.17g OFMT=%.17g "$folder/plain.csv" >"$folder/gaps.csv"
same "$folder/gaps.csv"
said 'note: D in 10 rows of arm gaps from its own C = 6 N\^1 D\^1'
sed '3s/.*/-,,6e15,3/' "$folder/gaps.csv" >"$folder/lone.csv"
refuse 'lone.csv:3: N = -: want a positive number' "$folder/lone.csv"
same -fit_extrapolate "$folder/plain.csv" -fit_e free

# ---- Doubt: few rows, runs that share an error, a column that is no compute, two columns of one meaning. ----
head -n 8 "$folder/plain.csv" >"$folder/few.csv"
fit "$folder/few.csv" -fit_predict 1e8,1e10
said '^  few +1e[+]08 +1e[+]10 +- +-$'
said '^  few +- +- +- +- +- +- +- +not identifiable: 7 rows for 5 coefficients, want at least 8'
awk -F, 'NR == 1 { print; next } { if ($1 != last) { last = $1; k++ } printf "%s,%s,%.5f\n", $1, $2, $3 * (1 + 0.01 * ((k * 7) % 5 - 2)) }' "$folder/plain.csv" >"$folder/sharing.csv"
fit "$folder/sharing.csv"
said 'runs of one size share an error, p = .*\(-fit_columns_group\)'
narrow=$(awk '$1 == "sharing" { print $8 $9; exit }' "$folder/out")
fit "$folder/sharing.csv" -fit_columns_group N
grep -q 'share an error' "$folder/out" && complain "a named group is still missed"
[ "$(awk '$1 == "sharing" { print $8 $9; exit }' "$folder/out")" != "$narrow" ] || complain "groups change no interval: $narrow"
# Waves along D whose phase is that of the size, as errors of checkpoints: no offset, and no bend that all sizes have.
awk 'BEGIN { print "N,D,loss,run"; for (i = 0; i < 8; i++) for (j = 0; j < 12; j++) {
    n = 1e7 * 10 ^ (i / 3); d = 1e9 * 10 ^ (j / 4)
    printf "%.0f,%.0f,%.6f,r%d\n", n, d, (1.8 + 480 / n ^ 0.35 + 2000 / d ^ 0.37) * (1 + 0.006 * sin(0.8 * j + 2.4 * i * i)), i } }' >"$folder/waves.csv"
fit "$folder/waves.csv"
said 'rejected by its own points: neighbours in D share an error, as checkpoints of a run do, p = .*\(-fit_columns_group\)'
fit "$folder/waves.csv" -fit_columns_group run
grep -q 'share an error' "$folder/out" && complain "named runs are still missed"
refuse 'suggest: it looks for N\* of a budget, which fit.law = samples does not have' "$folder/plain.csv" -fit_law samples -suggest 3
awk -F, 'NR == 1 { print; next } { u = log($1 / 3e6) / log(3 ^ 2.5) - 1; v = log($2 / 1e8) / log(4 ^ 2) - 1
    printf "%s,%s,%.5f\n", $1, $2, $3 * exp(0.03 * u * u * v) }' "$folder/plain.csv" >"$folder/bent.csv"
fit "$folder/bent.csv"
said 'rejected by its own points: .*lack of fit, p = .* by curvature'
fit "$folder/plain.csv" -fit_columns_group N
said '6 groups are few: their intervals may be too narrow'
make_from speed.csv '1s/$/,TFLOPS/; 2,$s/$/,312.5/'
same "$folder/speed.csv"
said 'times 6 N D, not the FLOP of whole runs, and not taken'
make_from losses.csv '1s/$/,val_loss/; 2,$s/$/,7/'
same "$folder/losses.csv"
said 'column loss is taken, not val_loss'

make_from unnamed.csv '1s/$/,run/; 2,$s/$/,a/; 5s/a$//'
refuse 'unnamed.csv:5: run is blank: want the group of every row' "$folder/unnamed.csv" -fit_columns_group run
make_from lone.csv '1s/$/,batch/; 2,$s/$/,one/'
fit "$folder/lone.csv" -fit_columns_group batch
said 'not identifiable: all rows are of one group'
# E has no part in it, and nothing is said of offsets of sizes but that: a law that is at its bound is held to its rows.
awk 'BEGIN { print "N,D,loss"; srand(8); split("-2.6 1.9 2.2 -1.7 0.4", shift, " ")
    for (i = 0; i < 5; i++) for (j = 0; j < 12; j++) {
        n = 1e7 * 10 ^ (i / 2); d = 1e9 * 10 ^ (j / 5.5)
        printf "%.0f,%.0f,%.5f\n", n, d, (30 / n ^ 0.12 + 1200 / d ^ 0.31) * (1 + 0.01 * shift[i + 1] + 0.006 * (rand() - 0.5)) } }' >"$folder/offset.csv"
fit "$folder/offset.csv"
said 'rejected by its own points: runs of one size share an error, .*; at a bound: E$'

# ---- D from C and N, units, a choice of rows. ----
awk -F, 'NR == 1 { print "gflops,params,loss" } NR > 1 { printf "%.17g,%s,%s\n", 6 * $1 * $2 / 1e9, $1, $3 }' "$folder/plain.csv" >"$folder/compute.csv"
same "$folder/compute.csv"
said 'D = C / \(6 N\) in 30 rows'
said 'in units of 1e\+09 FLOP'
for unit in 'PFLOP/s-days 8.64e+19' 'Compute_(exaFLOPs) 1e+18' 'C_[10^18_FLOP] 1e+18' 'FLOPs_(x_1e18) 1e+18'; do
    awk -F, -v name="${unit% *}" -v unit="${unit#* }" 'NR == 1 { gsub("_", " ", name); print name ",params,loss" }
        NR > 1 { printf "%.17g,%s,%s\n", 6 * $1 * $2 / unit, $1, $3 }' "$folder/plain.csv" >"$folder/unit.csv"
    same "$folder/unit.csv"
    said "column .* in units of $(sed "s/+/[+]/" <<<"${unit#* }") FLOP$"
done
awk -F, 'NR == 1 { print "C (big),N,loss" } NR > 1 { printf "%.17g,%s,%s\n", 6 * $1 * $2, $1, $3 }' "$folder/plain.csv" >"$folder/unit.csv"
same "$folder/unit.csv" -fit_columns_c 'C (big)'
said 'column C \(big\) is taken in units of 1 FLOP$'
awk -F, 'NR == 1 { print "compute,N,loss" } NR > 1 { printf "%.17g,%s,%s\n", 7 * $1 ^ 1.1 * $2 / 1e15, $1, $3 }' "$folder/plain.csv" >"$folder/pflop.csv"
same "$folder/pflop.csv" -fit_columns_c_unit PFLOP -fit_cost 7,1.1,1
awk -F, 'NR == 1 { print "Params (millions),Tokens [B],loss" } NR > 1 { printf "%.17g,%.17g,%s\n", $1 / 1e6, $2 / 1e9, $3 }' \
    "$folder/plain.csv" >"$folder/counted.csv"
same "$folder/counted.csv"
said 'column Params \(millions\) in units of 1e\+06$'
said 'column Tokens \[B\] in units of 1e\+09$'
sed '1s/.*/N [10^6],D (x1e9),Loss (nats)/' "$folder/counted.csv" >"$folder/powers.csv"
same "$folder/powers.csv"
said 'column N \[10\^6\] in units of 1e\+06$'
said 'column D \(x1e9\) in units of 1e\+09$'
sed '1s/.*/N (params),D (tokens),L (nats)/' "$folder/plain.csv" >"$folder/counting.csv"
same "$folder/counting.csv"
for speed in N_tokens,size N,tokens_s N,tokens_ms 'N,D (×10⁹)'; do # no unit, and none that is guessed
    sed "1s/.*/$speed,loss/" "$folder/plain.csv" >"$folder/counting.csv"
    refuse 'no column [ND]: want one called' "$folder/counting.csv"
done
sed '1s/.*/N (M params),D [billions of tokens],loss/' "$folder/counted.csv" >"$folder/counting.csv"
same "$folder/counting.csv"
said 'column N \(M params\) in units of 1e\+06$'
sed '1s/.*/params_M,tokens_in_billions,loss_nats/' "$folder/counted.csv" >"$folder/words.csv"
same "$folder/words.csv"
said 'column params_M in units of 1e\+06$'
said 'column tokens_in_billions in units of 1e\+09$'
awk -F, 'NR == 1 { print "model_b,tokens_B,tokens,loss" } NR > 1 { printf "%s,%.17g,%s,%s\n", $1, $2 / 1e9, $2, $3 }' \
    "$folder/plain.csv" >"$folder/twice.csv"
same "$folder/twice.csv" -fit_columns_n model_b
said 'column tokens is taken, not tokens_B'
sed '1s/.*/Params (in millions),Number of tokens (\xc3\x97 10^9),loss/' "$folder/counted.csv" >"$folder/counting.csv"
same "$folder/counting.csv"
said 'in units of 1e\+06$'
for units in 'M,B,nats' '(1e6 params),[10^9 tokens],-' 'millions,billions,'; do # a row of units below the header
    sed "1s/.*/N,D,loss\n$units/; 2s/^3,/3M,/" "$folder/counted.csv" >"$folder/units.csv"
    same "$folder/units.csv"
    said 'column N in units of 1e\+06$'
    said 'column D in units of 1e\+09$'
    grep -q 'left out' "$folder/out" && complain "a row of units is left out, too"
done
for units in 'M param,?,nats' 'px,gt,nats per token'; do # of which not all are known
    sed "1s/.*/params,tokens,loss\n$units/" "$folder/counted.csv" >"$folder/units.csv"
    fit "$folder/units.csv"
    [ "${units%%,*}" = 'M param' ] && said 'column params in units of 1e\+06$'
    [ "${units%%,*}" = px ] && said 'column params is taken in units of 1$' && said 'column tokens is taken in units of 1$'
done
printf 'Gr\366\337e,tokens,loss\n' >"$folder/latin.csv" # Größe in Windows-1252
tail -n +2 "$folder/plain.csv" >>"$folder/latin.csv"
same "$folder/latin.csv" -fit_columns_n Größe
said 'not UTF-8: its letters are read as Windows-1252$'
sed '1s/.*/N [grams],D (x1e9),loss/' "$folder/counted.csv" >"$folder/grams.csv"
fit "$folder/grams.csv" -fit_columns_n 'N [grams]'
said 'column N \[grams\] is taken in units of 1$'
sed '2s/^[^,]*/3M/' "$folder/counted.csv" >"$folder/suffix.csv"
same "$folder/suffix.csv" -fit_columns_n 'Params (millions)'
awk -F, 'NR == 1 { print $0 ",compute" } NR > 1 { printf "%s,%.17g\n", $0, 6 * $1 * $2 }' "$folder/plain.csv" >"$folder/flop.csv"
same "$folder/flop.csv"
grep -q 'times 6 N D' "$folder/out" && complain "compute in FLOP is doubted: $(grep 'times 6 N D' "$folder/out")"
same "$folder/flop.csv" -fit_columns_c_unit TFLOP
said 'arm flop: C is 1e\+12 to 1e\+12 times 6 N D: in FLOP'
refuse 'c_unit = furlong: want FLOP' "$folder/pflop.csv" -fit_columns_c_unit furlong
make_from flagged.csv '1s/$/,failed/; 2,$s/$/,False/; 5s/$/\n3e6,1e9,9.9,True/'
same "$folder/flagged.csv" -fit_columns_drop failed
make_from sweep.csv '1s/$/,lr/; 2,$s/^(.*),(.*)$/\1,\2,2\n\1,1\2,1\n\1,2\2,3/'
fit "$folder/sweep.csv"
said '90 rows repeat 30 \(N, D\) and no seed'
said 'if arms do, theirs \(-fit_columns_arm\)$'
same "$folder/sweep.csv" -fit_best
said 'left out: 60 rows, another row of the same arm'

make_from runs.csv '1s/$/,run/; 2,$s/^(.*),(.*)$/\1,\2,a\n\1,\2,b/'
fit "$folder/runs.csv" -fit_columns_group run
grep -q 'no seed tells them apart' "$folder/out" && complain "groups do not tell rows apart"
awk -F, 'NR == 1 { print; next } { printf "%s,%s,%.5f\n", $1, $2, 1 + 900 / $2 ^ 0.35 + log($1) / 10 }' "$folder/plain.csv" >"$folder/growing.csv"
fit "$folder/growing.csv"
said 'not identifiable: rows do not tell coefficients apart, condition number (inf|[0-9.]+e\+1[0-9])'

make_from held.csv '1s/$/,test/; 2,$s/$/,no/; 9s/no$/yes/; 20s/no$/yes/'
fit "$folder/held.csv" -fit_columns_holdout test -fit_predict 1e8,1e10
said '28 points'
said 'held: 2 rows held out: log loss off by 0.00'
said '1e[+]08 +1e[+]10 +- +[0-9.]+ \[' # the law alone: E + A/N^alpha + B/D^beta = 2.62
said '1e[+]08 +1e[+]10 +- .*\]$'
fit "$folder/held.csv" -fit_predict 1e10,1e10,1e8,1e7
said '1e[+]10 +1e[+]10 +- .*\]  outside the data: N is 13\.7 times the largest model$'
said '1e[+]08 +1e[+]07 +- .*\]  outside the data: D is 10 times shorter than the shortest run$'
refuse 'fit.predict: 3 numbers: want N and D' "$folder/plain.csv" -fit_predict 1,2,3

# ---- Three arms: short, everything on demand, pairs. ----
awk -F, 'NR == 1 { print "arm," $0 } NR > 1 { for (m = 1; m <= 3; m++) printf "arm%d,%s,%s,%.5f\n", m, $1, $2, (0.9 + 0.1 * m) * $3 }' "$folder/plain.csv" >"$folder/three.csv"
fit "$folder/three.csv"
[ "$(wc -l <"$folder/out")" -le 42 ] || complain "three arms take $(wc -l <"$folder/out") lines"
awk -F, 'NR == 1 { print "arm," $0 ",w" } NR > 1 { for (m = 1; m <= 15; m++) printf "arm%d,%s,%s,%.5f,%d\n", m, $1, $2, (0.9 + 0.1 * m) * $3, 1 + NR % 2 }' "$folder/plain.csv" >"$folder/fifteen.csv"
for pairs in first all; do
    fit "$folder/fifteen.csv" -fit_pairs $pairs -fit_columns_weight w -fit_starts few
    [ "$(wc -l <"$folder/out")" -le 42 ] || complain "15 arms, pairs $pairs, take $(wc -l <"$folder/out") lines"
    said 'weights 1 to 2: the objective takes'
    said 'allocations of 15 arms at up to 6 budgets each: -fit_details, -json FILE'
    [ "$(grep -cE '^  arm[0-9]+ .*converged' "$folder/out")" = 15 ] || complain "not a line an arm"
done
# A live line, on a terminal alone, of what takes more than 2 s, whatever it is at by then; a machine may be faster than that.
live=("$build/equiscale" fit "$folder/fifteen.csv" -fit_arms arm1,arm2,arm3,arm4 -fit_bootstraps 20 -fit_surrogate false)
far='arm arm[0-9]+: [0-9]+ of [0-9]+ (starts|pairs of exponents|resamples|rows left out)'
began=$SECONDS
TERM=xterm script -qec "${live[*]}; true" /dev/null >"$folder/out" </dev/null
[ $((SECONDS - began)) -lt 4 ] || said "$far"
began=$SECONDS
"${live[@]}" >"$folder/out" 2>"$folder/err"
[ $((SECONDS - began)) -ge 4 ] || echo "skipped: a fit of 18000 starts takes less than 4 s here: no line of progress"
[ $((SECONDS - began)) -lt 4 ] || grep -qE "^\[ +[0-9.]+\] $far$" "$folder/err" || complain "no line of progress: $(head -n 1 "$folder/err")"
grep -qE "$far" "$folder/out" && complain "a live line where nobody sees it"
"${live[@]}" -quiet >"$folder/out" 2>&1
[ -s "$folder/out" ] && complain "-quiet says $(head -n 1 "$folder/out")"
fit "$folder/three.csv" -fit_details
said '---- arm arm2: 30 rows'
said '---- arm3 against arm2 ----'
fit "$folder/three.csv" -fit_details -fit_pairs first
said '---- arm3 against arm1 ----'
grep -q 'arm3 against arm2' "$folder/out" && complain "pairs that nobody asked for"

# ---- Other laws: of N, of D, of C alone, of a table of optima; E held; a quantile. ----
line() { # NAME START FACTOR A ALPHA: a table of one axis with the law 1.7 + A / X^ALPHA
    awk -v name="$1" -v start="$2" -v factor="$3" -v a="$4" -v alpha="$5" 'BEGIN { print name ",loss"; srand(3)
        for (i = 0; i < 14; i++) { x = start * factor ^ i
            printf "%.6g,%.6f\n", x, (1.7 + a / x ^ alpha) * (1 + 0.002 * (rand() - 0.5)) } }' >"$folder/$1.csv"
}
line C 1e17 3 40 0.09
fit "$folder/C.csv" -fit_law compute -json "$folder/f.json"
said 'law L = E \+ A/C\^alpha;'
said '^ +C +1\.[67][0-9]* +[0-9.]+ +- +0\.0[89][0-9]* +- +0\.0[89].* converged$'
said '1e\+21 +- +- +2\.2[0-9]* \[.*within the data'
awk -F, 'NR == 1 { print; next } { if (NR == 15) $1 = "9.9999999999999e22"; print $1 "," $2 }' "$folder/C.csv" >"$folder/end.csv"
fit "$folder/end.csv" -fit_law compute
said '1e\+23 .*within the data$'
${PYTHON:-/usr/bin/python3} -c "import json, sys; a = json.load(open(sys.argv[1]))['arms'][0]; c = a['currencies']['nominal']; sys.exit(not (c['gamma'] == a['alpha'] and c['interval']['gamma'] == a['interval']['alpha'] and a['a'] is None and a['beta'] is None))" "$folder/f.json" || complain "gamma of a law of compute"
line N 1e6 2 40 0.3
fit "$folder/N.csv" -fit_law parameters
said '^ +N +1\.[67].* +0\.(29|30)[0-9]* \[.*converged$'
line D 1e8 2 400 0.3
fit "$folder/D.csv" -fit_law samples -fit_predict 1,1e9
said '^ +D +1\.[67].* +0\.(29|30)[0-9]* \[.*converged$'
said '1e\+09 +- +2\.[45][0-9]* \['
awk 'BEGIN { print "C,N_opt,D_opt,se"; srand(4)
    for (i = 0; i < 9; i++) { c = 1e18 * 4 ^ i; n = 0.6 * c ^ 0.48 * (1 + 0.06 * (rand() - 0.5))
        printf "%.6g,%.6g,%.6g,%.4g\n", c, n, c / 6 / n, 0.03 * n * (1 + i % 3) } }' >"$folder/optima.csv"
fit "$folder/optima.csv" -fit_law optima -fit_columns_error se -fit_objective log -fit_bootstraps 200
said '^ +optima N\* .* 0\.4[78][0-9]* \[0\.4[67][0-9]*, 0\.4[89][0-9]*\].*converged$'
said '^ +optima D\* .* 0\.5[12][0-9]* \['
said 'weights 0\.2'
grep -q 'same loss' "$folder/out" && complain "optima are compared as if they were losses"
sed '4s/,[^,]*,/,-,/; 6s/$/\n1e22,,running,/' "$folder/optima.csv" >"$folder/gaps.csv"
fit "$folder/gaps.csv" -fit_law optima -fit_objective log
said '^ +gaps N\* .* 0\.4[78]'
said 'left out: 3 rows, no usable loss'
refuse 'no column C: want one called C' "$folder/N.csv" -fit_law compute
refuse 'no column N: want one called N' "$folder/C.csv"
fit "$folder/plain.csv" -fit_e_fixed 1.6
[ "${law%% *}" = 1.6 ] || complain "E held at 1.6 is ${law%% *}"
said ', E = 1.6; Huber'
fit "$folder/plain.csv" -fit_e_fixed 2.5
said 'fit.e_fixed = 2.5 is not below the loss in [0-9]+ of the 30 rows of arm plain'
refuse 'fit.e_fixed = 9: want less than the losses of arm plain, whose largest is [0-9.]+$' "$folder/plain.csv" -fit_e_fixed 9
refuse 'fit.e has no effect: the law has no E' "$folder/optima.csv" -fit_law optima -fit_objective log -fit_e zero
refuse 'fit.exponents has no effect: the law has one exponent' "$folder/N.csv" -fit_law parameters -fit_exponents tied
refuse 'fit.e_fixed = 1.6: want fit.e = free' "$folder/plain.csv" -fit_e_fixed 1.6 -fit_e shared
fit "$folder/plain.csv" -fit_quantile 0.1
said 'delta 0.001, quantile 0.1'
refuse 'fit.quantile = 0.1: want fit.objective = huber' "$folder/plain.csv" -fit_quantile 0.1 -fit_objective log

# ---- The table of a paper; the same fit again. ----
fit "$folder/three.csv" -fit_arms arm1,arm2 -csv "$folder/t.csv" -latex "$folder/t.tex" -json "$folder/f.json"
cp "$folder/out" "$folder/first.txt"
(cd "$folder" && "$build/equiscale" fit -again f.json -json g.json >again.txt 2>err) || complain "fit -again: $(tail -n 1 "$folder/err")"
cmp -s "$folder/first.txt" "$folder/again.txt" || complain "fit -again says something else: $(diff "$folder/first.txt" "$folder/again.txt" | head -n 3)"
${PYTHON:-/usr/bin/python3} - "$folder" <<'PY' || complain "table of a paper, or the fit again"
import csv
import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
first, again = (json.loads((folder / name).read_text()) for name in ("f.json", "g.json"))


def bits(x):
    """All but clocks and where answers go."""
    if isinstance(x, dict):
        return {k: bits(v) for k, v in x.items() if not k.startswith("seconds") and k != "options"}
    return [bits(v) for v in x] if isinstance(x, list) else x


assert bits(first) == bits(again), "other bits"
keys = {o["key"]: o["value"] for o in first["options"]}
assert keys["fit.arms"] == "arm1,arm2" and keys["fit.starts"] == "few" and keys["fit.delta"] == "0.001", keys
assert first["inputs"][0]["name"].endswith("three.csv") and len(first["inputs"][0]["digest"]) == 16, first["inputs"]
assert first["version"] and first["seed"] == 1 and first["ranks"] == 1, first["version"]
rows = list(csv.DictReader((folder / "t.csv").open()))
assert [r["arm"] for r in rows] == ["arm1", "arm2"], rows
for row, arm in zip(rows, first["arms"]):
    assert abs(float(row["alpha"]) / arm["alpha"] - 1) < 1e-9 and abs(float(row["a_low"]) / arm["interval"]["a"][0] - 1) < 1e-9
    assert abs(float(row["gamma"]) / arm["currencies"]["nominal"]["gamma"] - 1) < 1e-9 and row["status"] == arm["status"]
tex = (folder / "t.tex").read_text()
a = first["arms"][0]
assert "\\begin{tabular}{l" in tex and "& $%.3f$" % a["alpha"] in tex and "& \\scriptsize $[%.3f,\\,%.3f]$" % tuple(a["interval"]["alpha"]) in tex, tex
for arm in first["arms"]:
    for k in "E", "A", "B":
        four = [("%#.4g" % x).rstrip(".") for x in (arm[k], *arm["interval"][k])]
        assert f" & ${four[0]}$" in tex and " & \\scriptsize $[%s,\\,%s]$" % tuple(four[1:]) in tex, (four, tex)
blocks = tex.split("\\end{tabular}")[:-1]
assert len(blocks) > 1 and all(b.count("\\\\") == 5 for b in blocks) and "e+" not in "".join(blocks).split("tabular", 1)[1], tex
for k in "$E$", "$A$", "$B$", "$\\alpha$", "$\\beta$", "$a$", "$b$", "$\\gamma$", "$N^*$", "$D^*$", "$L^*$":
    assert tex.count(f"& {k}") == 1, (k, tex)
PY
# By a law of compute what is held out has a place on its axis.
awk -F, 'NR == 1 { print "C,loss,test"; next } { print $0 "," (NR % 5 == 0) }' "$folder/C.csv" >"$folder/C_held.csv"
fit "$folder/C_held.csv" -fit_law compute -fit_columns_holdout test
said '^  arm +N +D +C +loss'
said '^  C_held +- +- +[0-9.]+e[+0-9]+ +[0-9.]+ +[0-9.]+ \[.*held out'
refuse 'fit.predict has no effect: a table of optima' "$folder/optima.csv" -fit_law optima -fit_objective log -fit_predict 1e8,1e9
# A table of optima has none of a loss.
fit "$folder/optima.csv" -fit_law optima -fit_objective log -csv "$folder/o.csv" -latex "$folder/o.tex" -json "$folder/o.json"
grep -q 'optimum_at_reference' "$folder/o.csv" && grep -q '& optimum' "$folder/o.tex" || complain "tables of optima: $(head -n 1 "$folder/o.csv")"
grep -qE 'loss|L\^' "$folder/o.csv" "$folder/o.tex" && complain "tables of optima speak of a loss"
# What LaTeX makes of it, with arms of every letter that means something there.
awk -F, 'NR == 1 { print "arm," $0 } NR > 1 { for (m = 1; m <= 5; m++) {
        name = m == 1 ? "50% & #1_x" : m == 2 ? "[b]*{y}$2" : m == 3 ? "*c\\d~e^f" : m == 4 ? "<g>|h" : "größte Möwe"
        printf "%s,%s,%s,%.5f\n", name, $1, $2, (0.9 + 0.1 * m) * $3 } }' "$folder/plain.csv" >"$folder/letters.csv"
fit "$folder/letters.csv" -latex "$folder/letters.tex"
${PYTHON:-/usr/bin/python3} - "$folder/out" <<'PY' || complain "columns behind letters of two bytes"
import re
import sys

lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
ends = []
for name in "50% & #1_x", "*c\\d~e^f", "größte Möwe":
    row = next(line for line in lines if line.startswith(f"  {name} "))
    ends.append(re.match(f"  {re.escape(name)} +[0-9.]+ ", row).end())
assert len(set(ends)) == 1, ends
PY
grep -qF '50\% \& \#1\_x & $' "$folder/letters.tex" && grep -qF '{}[b]*\{y\}\$2 & $' "$folder/letters.tex" ||
    complain "letters of LaTeX: $(cat "$folder/letters.tex")"
if command -v pdflatex >/dev/null; then
    for table in t letters; do
        printf '%s\n' '\documentclass{article}' '\begin{document}' "\\input{$table.tex}" '\end{document}' >"$folder/paper.tex"
        (cd "$folder" && pdflatex -interaction=nonstopmode -halt-on-error paper.tex >paper.txt 2>&1) ||
            complain "pdflatex of $table.tex: $(grep -m 3 '^!' "$folder/paper.txt")"
        grep -q 'Overfull' "$folder/paper.txt" && complain "$table.tex is wider than a page: $(grep -m 1 Overfull "$folder/paper.txt")"
    done
else
    echo "skipped: no pdflatex (Debian: texlive-latex-base)"
fi
refuse 'want no files beside it' "$folder/plain.csv" -again "$folder/f.json"
echo '{"format": "equiscale-fit-1"}' >"$folder/old.json"
refuse 'old.json: want a fit.json with its inputs and options' -again "$folder/old.json"
refuse 'old2.json: No such file' -again "$folder/old2.json"
echo '4e6,1e9,3' >>"$folder/three.csv"
refuse 'three.csv: is not the file that .*f.json was made from' -again "$folder/f.json"

# ---- Several files. ----
mkdir "$folder/a" "$folder/b"
cp "$folder/plain.csv" "$folder/a/results.csv"
awk -F, 'NR == 1 { print } NR > 1 { printf "%s,%s,%.5f\n", $1, $2, 1.1 * $3 }' "$folder/plain.csv" >"$folder/b/results.csv"
fit "$folder/a/results.csv" "$folder/b/results.csv"
said '2 arms'
refuse 'holds the rows of .*want every file once' "$folder/plain.csv" "$folder/a/results.csv"
ln -s plain.csv "$folder/link.csv"
refuse 'holds the rows of' "$folder/plain.csv" "$folder/link.csv"
refuse 'holds the rows of' "$folder/plain.csv.gz" "$folder/plain.csv"
(head -n 1 "$folder/plain.csv" && tail -n +2 "$folder/plain.csv" | tac) >"$folder/turned.csv"
refuse 'holds the rows of' "$folder/plain.csv" "$folder/turned.csv"
budgets=$(seq -s, 1001 1051 | sed 's/[0-9]*/&e14/g')
fit "$folder/plain.csv" -fit_budgets "$budgets" -json "$folder/f.json"
${PYTHON:-/usr/bin/python3} -c "import json,sys; a = json.load(open(sys.argv[1]))['arms'][0]['currencies']['nominal']['allocation']; sys.exit(len(a) != 51)" "$folder/f.json" || complain "51 budgets asked, another number answered"

# ---- Refused. ----
for key in json csv latex; do # before anything is read
    refuse "no/law.x: No such file.*: want a path that can be written" "$folder/absent.csv" -$key "$folder/no/law.x"
    refuse "$key = .*plain.csv: want another file than what is read" "$folder/plain.csv" -$key "$folder/plain.csv"
done
refuse 'latex = .*law.x: want another file than that of csv' "$folder/plain.csv" -csv "$folder/law.x" -latex "$folder/law.x"
refuse 'csv = -: want a file' "$folder/plain.csv" -csv -
refuse 'no arm gatr: want some of plain' "$folder/plain.csv" -fit_arms gatr
make_from header.csv '1s/.*/size,D,loss/'
refuse 'no column N: .*its header: size, D, loss' "$folder/header.csv"
refuse 'no column los: want one of its header for fit.columns.loss: N, D, loss' "$folder/plain.csv" -fit_columns_loss los
make_from twice.csv '1s/$/,loss/; 2,$s/$/,1/'
refuse 'names column loss more than once' "$folder/twice.csv"
make_from short.csv '7s/,[^,]*$//'
refuse 'short.csv:7: 2 fields: want 3' "$folder/short.csv"
make_from open.csv '7s/,([^,]*)$/,"\1/'
refuse 'open.csv:7: a quotation mark that is never closed' "$folder/open.csv"
make_from typo.csv '7s/$/x/'
refuse 'typo.csv:7: loss = .*x: want a positive number' "$folder/typo.csv"
make_from large.csv '7s/$/M/'
refuse 'large.csv:7: loss = .*M: want a positive number' "$folder/large.csv"
make_from nul.csv '7s/,/\x00,/'
refuse 'nul.csv:7: a NUL byte' "$folder/nul.csv"
make_from order.csv '9s/$/\nD,N,loss/'
refuse 'order.csv:10: the columns in another order: want one order in a file' "$folder/order.csv"
head -n 1 "$folder/plain.csv" >"$folder/head.csv"
refuse 'head.csv: no row below the header' "$folder/head.csv"
tail -n +2 "$folder/plain.csv" >"$folder/bare.csv"
refuse 'bare.csv:1: numbers where the header should be' "$folder/bare.csv"
: >"$folder/empty.csv"
refuse 'empty.csv: the file is empty' "$folder/empty.csv"
refuse 'a: a folder' "$folder/a"
printf 'PAR1\x15\x04\x15' >"$folder/x.parquet"
refuse 'x.parquet: Parquet: want CSV, as from python3 -c .*read_parquet' "$folder/x.parquet"
echo '{"N": 1, "D": 2, "loss": 3}' >"$folder/x.jsonl"
refuse 'x.jsonl: JSON: want CSV, as from python3 -c .*lines=True' "$folder/x.jsonl"
${PYTHON:-/usr/bin/python3} - "$folder" <<'PY'
import pickle
import sqlite3
import sys
import zipfile

import h5py
import numpy

folder = sys.argv[1]
rows = {"N": [1e6], "D": [1e9], "loss": [3.0]}
pickle.dump(rows, open(f"{folder}/x.pkl", "wb"))
numpy.save(f"{folder}/x.npy", numpy.ones((3, 3)))
with zipfile.ZipFile(f"{folder}/x.xlsx", "w") as file:
    file.writestr("docProps/app.xml", "<Properties/>" * 900)
with zipfile.ZipFile(f"{folder}/x.zip", "w") as file:
    file.writestr("table.csv", "N,D,loss\n")
sqlite3.connect(f"{folder}/x.db").execute("create table runs (N, D, loss)")
with h5py.File(f"{folder}/x.h5", "w") as file:
    file["N"] = numpy.ones(3)
PY
refuse 'x.pkl: a pickle of Python: want CSV, as from' "$folder/x.pkl"
refuse 'x.npy: an array of NumPy: want CSV, as from' "$folder/x.npy"
refuse 'x.xlsx: a spreadsheet .Excel.: want CSV, as from' "$folder/x.xlsx"
refuse 'x.zip: a zip archive: want it unpacked, by unzip' "$folder/x.zip"
refuse 'x.db: an SQLite database: want one of its tables' "$folder/x.db"
refuse 'x.h5: .*HDF5, but not a results file.* or a table as CSV, as from' "$folder/x.h5"
iconv -f UTF-8 -t UTF-16 "$folder/plain.csv" >"$folder/wide16.csv"
refuse 'wide16.csv: UTF-16: want UTF-8' "$folder/wide16.csv"
head -c 200 "$folder/plain.csv.gz" >"$folder/cut.csv.gz"
refuse 'cut.csv.gz: .*want a whole' "$folder/cut.csv.gz"
exit $bad
