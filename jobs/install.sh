#!/usr/bin/env bash
# jobs/install.sh install|uninstall ROOT PREFIX: copies the program (PROGRAM, VERSION in the environment) and what comes with
# it into ROOT, which is DESTDIR and PREFIX together, or removes exactly that. Called by `make install` and `make uninstall`.
set -eu
action=$1 root=$2 prefix=$3
share=$root/share/equiscale
man=$root/share/man/man1
completions=$root/share/bash-completion/completions
modules=$root/share/modulefiles/equiscale

if [ "$action" = uninstall ]; then
    rm -rf "$share" "$modules"
    rm -f "$root/bin/equiscale" "$root/bin/equiscale-report" "$man/equiscale.1" "$completions/equiscale"
    for folder in "$man" "$root/share/man" "$completions" "$root/share/bash-completion" "$root/share/modulefiles" \
        "$root/share" "$root/bin"; do
        if [ -d "$folder" ]; then rmdir --ignore-fail-on-non-empty "$folder"; fi
    done
    exit 0
fi

install -d "$root/bin" "$share/input/machines" "$share/jobs" "$completions" "$modules"
install -m 755 "$PROGRAM" "$root/bin/equiscale"
install -m 755 packages/equiscale-report "$root/bin/equiscale-report"
install -m 644 input/*.yaml "$share/input"
install -m 644 input/machines/*.yaml "$share/input/machines"
for folder in analysis analysis/figures analysis/peers; do
    install -d "$share/$folder"
    install -m 755 "$folder"/*.py "$share/$folder"
done
install -m 755 jobs/local.sh jobs/study.sbatch jobs/bench.sbatch "$share/jobs"
install -m 644 packages/completion.bash "$completions/equiscale"
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$VERSION|" packages/modulefile.in >"$modules/$VERSION"
# The manual is made by running the program, which a build for another processor cannot.
if ! command -v help2man >/dev/null; then
    echo "no man page: help2man is not installed"
elif ! "$root/bin/equiscale" --version >/dev/null 2>&1; then
    echo "no man page: the program does not run here"
else
    install -d "$man"
    # By its name on the PATH: help2man does not quote a path.
    PATH=$root/bin:$PATH help2man --no-info --name 'scaling laws with and without equivariance' equiscale >"$man/equiscale.1"
fi
echo "installed in $root"
