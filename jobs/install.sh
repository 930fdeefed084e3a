#!/usr/bin/env bash
# jobs/install.sh install|uninstall ROOT PREFIX: copies the program (PROGRAM, VERSION in the environment) and what comes with
# it into ROOT, which is DESTDIR and PREFIX together, or removes exactly that. Called by `make install` and `make uninstall`.
set -eu
action=$1 root=$(realpath -ms "$2") prefix=$3
share=$root/share/equiscale
man=$root/share/man/man1
completions=$root/share/bash-completion/completions
modules=$root/share/modulefiles/equiscale
made=$share/made # a list of folders that install made, and of the module file, beside which others may stand

if [ "$action" = uninstall ]; then
    own=()
    if [ -f "$made" ]; then mapfile -t own < <(LC_ALL=C sort -ru "$made"); fi
    rm -rf "$share"
    rm -f "$root/bin/equiscale" "$root/bin/equiscale-report" "$man/equiscale.1" "$completions/equiscale"
    for path in "${own[@]}"; do
        # What was moved since it was installed lists paths of another place.
        case $path/ in "$root"/*) ;; *) case $root/ in "$path"/*) ;; *) continue ;; esac ;; esac
        if [ -d "$path" ]; then rmdir --ignore-fail-on-non-empty "$path" || :; else rm -f "$path"; fi
    done
    exit 0
fi

# Makes folders; those that were not there, of the path to one too, are listed for uninstall.
new=
folder() {
    local each at
    for each in "$@"; do
        at=$each
        while [ ! -e "$at" ]; do
            new+=$at$'\n'
            at=$(dirname "$at")
        done
        install -d "$each"
    done
}

folder "$root/bin" "$share/input/machines" "$share/jobs" "$completions" "$modules"
install -m 755 "$PROGRAM" "$root/bin/equiscale"
install -m 755 packages/equiscale-report "$root/bin/equiscale-report"
install -m 644 input/*.yaml "$share/input"
install -m 644 input/machines/*.yaml "$share/input/machines"
for scripts in analysis analysis/figures analysis/peers; do
    folder "$share/$scripts"
    install -m 755 "$scripts"/*.py "$share/$scripts"
done
install -m 755 jobs/local.sh jobs/study.sbatch jobs/bench.sbatch "$share/jobs"
install -m 644 packages/completion.bash "$completions/equiscale"
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$VERSION|" packages/modulefile.in >"$modules/$VERSION"
new+=$modules/$VERSION$'\n'
# The manual is made by running the program, which a build for another processor cannot.
if ! command -v help2man >/dev/null; then
    echo "no man page: help2man is not installed"
elif ! "$root/bin/equiscale" --version >/dev/null 2>&1; then
    echo "no man page: the program does not run here"
else
    folder "$man"
    # By its name on the PATH: help2man does not quote a path.
    PATH=$root/bin:$PATH help2man --no-info --name 'scaling laws with and without equivariance' equiscale >"$man/equiscale.1"
fi
printf %s "$new" >>"$made"
echo "installed in $root"
