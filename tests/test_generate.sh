#!/usr/bin/env bash
# equiscale generate as a user meets it: a file, an override, and every kind of mistake: exit code 2 and one line.
set -u
build=$1 bad=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

generate() { jobs/local.sh 2 "$build/equiscale" generate "$@" >"$dir/out" 2>"$dir/err"; }

refuses() { # TEXT ARGUMENT ...
    local text=$1
    shift
    generate "$@"
    local code=$?
    if [ $code != 2 ] || ! grep -qF "$text" "$dir/err"; then
        echo "generate $*: exit code $code, want 2 and: $text"
        cat "$dir/err"
        bad=1
    fi
    if [ -e "$dir/x.h5" ]; then echo "generate $*: left a file"; bad=1; fi
}

cat >"$dir/data.yaml" <<END
data: {path: $dir/a.h5, trajectories: 3, frames: 4, bodies_max: 4}
END
generate "$dir/data.yaml" -data_trajectories 5 || { echo "generate fails"; cat "$dir/err"; bad=1; }
grep -q "5 trajectories" "$dir/out" || { echo "no line about 5 trajectories"; bad=1; }
sum=$(cksum <"$dir/a.h5")
refuses "exists already" "$dir/data.yaml"
[ "$sum" = "$(cksum <"$dir/a.h5")" ] || { echo "an existing file was changed"; bad=1; }

x="-data_path $dir/x.h5"
# shellcheck disable=SC2086  # two words
{
    refuses "data.frames = 2" $x -data_frames 2
    refuses "data.frames = many" $x -data_frames many
    refuses "data.frame = upside" $x -data_frame upside
    refuses "data.frame_rate = 7: want a divisor of 240" $x -data_frame_rate 7
    refuses "data.bodies_min = 5" $x -data_bodies_min 5 -data_bodies_max 4
    refuses "data.spread = 1" $x -data_spread 1
    refuses "unknown key data_frmes" $x -data_frmes 5
    refuses "$dir/none.yaml" "$dir/none.yaml" $x
    mkdir "$dir/file.d"
    echo "data: [1" >"$dir/broken.yaml"
    refuses "$dir/broken.yaml" "$dir/broken.yaml" $x
    refuses "Not a directory" -data_path "$dir/a.h5/x.h5"
}
[ $bad = 0 ]
