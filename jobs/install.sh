#!/usr/bin/env bash
# jobs/install.sh install|uninstall ROOT PREFIX: copies the program (PROGRAM, VERSION in the environment) and what comes with
# it into ROOT, which is DESTDIR and PREFIX together, or removes exactly that. Called by `make install` and `make uninstall`.
set -eu
action=$1 root=$(realpath -ms "$2") prefix=$3
share=$root/share/equiscale
man=$root/share/man/man1
completions=$root/share/bash-completion/completions
modules=$root/share/modulefiles/equiscale
made=$share/made # what install put there and the folders that it made, beside which others may put theirs: paths from ROOT,
                 # or of ROOT itself and what it is in

if [ "$action" = uninstall ]; then
    own=()
    if [ -f "$made" ]; then mapfile -t own < <(LC_ALL=C sort -ru "$made"); fi
    rm -rf "$made" "$share"/analysis/__pycache__ "$share"/analysis/*/__pycache__
    for path in "${own[@]}"; do
        case $path in
            /*) case $root/ in "$path"/*) ;; *) continue ;; esac ;; # of another place: it was moved since it was installed
            *) path=$root/$path ;;
        esac
        if [ -d "$path" ]; then rmdir --ignore-fail-on-non-empty "$path" || :; else rm -f "$path"; fi
    done
    exit 0
fi

new=
list() { new+=${1#"$root"/}$'\n'; }

# Makes folders; those that were not there, of the path to one too, are listed for uninstall.
folder() {
    local each at
    for each in "$@"; do
        at=$each
        while [ ! -e "$at" ]; do
            list "$at"
            at=$(dirname "$at")
        done
        install -d "$each"
    done
}

# put MODE TARGET FILE...: files into a folder, or one under a name of its own; listed for uninstall.
put() {
    local mode=$1 target=$2 file
    shift 2
    install -m "$mode" "$@" "$target"
    for file in "$@"; do
        if [ -d "$target" ]; then list "$target/$(basename "$file")"; else list "$target"; fi
    done
}

folder "$root/bin" "$share/input/machines" "$share/jobs" "$completions" "$modules"
put 755 "$root/bin/equiscale" "$PROGRAM"
put 755 "$root/bin/equiscale-report" packages/equiscale-report
put 644 "$share/input" input/*.yaml
put 644 "$share/input/machines" input/machines/*.yaml
for scripts in analysis analysis/figures analysis/peers; do
    folder "$share/$scripts"
    put 755 "$share/$scripts" "$scripts"/*.py
done
put 755 "$share/jobs" jobs/local.sh jobs/study.sbatch jobs/bench.sbatch
put 644 "$completions/equiscale" packages/completion.bash
case $prefix in /*) ;; *) prefix=$root ;; esac
# The letters that sed would take for its own.
sed -e "s|@PREFIX@|$(sed 's/[&|\\]/\\&/g' <<<"$prefix")|" -e "s|@VERSION@|$VERSION|" packages/modulefile.in >"$modules/$VERSION"
list "$modules/$VERSION"
# The manual is made by running the program, which a build for another processor cannot.
if ! command -v help2man >/dev/null; then
    echo "no man page: help2man is not installed"
elif ! "$root/bin/equiscale" --version >/dev/null 2>&1; then
    echo "no man page: the program does not run here"
else
    folder "$man"
    # By its name on the PATH: help2man does not quote a path.
    PATH=$root/bin:$PATH help2man --no-info --name 'scaling laws with and without equivariance' equiscale >"$man/equiscale.1"
    list "$man/equiscale.1"
fi
printf %s "$new" >>"$made"
echo "installed in $root"
