#!/usr/bin/env bash
# Builds the Dockerfile's targets without a Docker engine, on bases made by debootstrap, and tries each image.
#
#   tests/containers/build.sh [engine] [caffe]      both where none is named
#
# Needs root, buildah, debootstrap and about 12 GB in TMPDIR, which are freed at the end. Packages come from the mirror
# and with the settings that this machine's apt and pip have, so that it works behind a proxy or a registry of one's own;
# MOUNTS names folders more that the build then needs, such as one of wheels: MOUNTS="/opt/wheels". KEEP=1 leaves
# everything where it is, for the next run.
set -euo pipefail

source=$(cd "$(dirname "$0")/../.." && pwd)
work=${WORK:-$(mktemp -d -t ethocaffe-images.XXXXXX)}
[[ -n ${KEEP:-} ]] || trap 'rm -rf "$work"' EXIT
buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

declare -A release=([engine]=bookworm [caffe]=bullseye) argument=([engine]=ENGINE_BASE [caffe]=CAFFE_BASE)
mirror=$(awk '/^URIs:/ {print $2; exit} /^deb / {print $2; exit}' /etc/apt/sources.list.d/debian.sources \
    /etc/apt/sources.list 2> /dev/null)

base() { # RELEASE: an image of the name base-RELEASE, with this machine's settings for apt
    local root=$work/$1
    if buildah inspect --type image "base-$1" > /dev/null 2>&1; then return; fi
    if [[ ! -e $root.done ]]; then
        debootstrap --variant=minbase "$1" "$root" "$mirror" > "$root.log"
        cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
        rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
        touch "$root.done"
    fi
    local container
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$root" / > /dev/null
    buildah commit --quiet --rm "$container" "base-$1" > /dev/null
}

pip_settings() { # in the form of a pip.conf, whether they come from files or from the environment
    echo '[global]'
    python3 -m pip config list | sed -n "s/^\(global\|:env:\)\.\([^=]*\)='\(.*\)'$/\2 = \3/p" | sort -u -t= -k1,1 \
        | sed 's/\\n/\n    /g'
}

build() { # TARGET: an image of that name
    local settings=$work/pip.conf certificate
    pip_settings > "$settings"
    local mounts=(--volume "$settings:/etc/pip.conf:ro")
    certificate=$(sed -n 's/^cert = //p' "$settings")
    if [[ -n $certificate ]]; then # under a name that no package of the image's has
        sed -i 's|^cert = .*|cert = /etc/pip.pem|' "$settings"
        mounts+=(--volume "$certificate:/etc/pip.pem:ro")
    fi
    for folder in ${MOUNTS:-}; do mounts+=(--volume "$folder:$folder:ro"); done
    buildah bud --isolation chroot "${mounts[@]}" --target "$1" --tag "$1" \
        --build-arg "${argument[$1]}=localhost/base-${release[$1]}" "$source" > "$work/$1.log" 2>&1 \
        || { tail -20 "$work/$1.log" >&2; return 1; }
}

try() { # TARGET: what the README promises, on a small scale, as the image's own user
    local container data=$work/data-$1
    container=$(buildah from "localhost/$1")
    rm -rf "$data" && install -d -o 1000 -g 1000 "$data"
    cp "$source"/tests/containers/*.prototxt "$data"
    in_image() {
        buildah run --isolation chroot --volume "$data:/data" "$container" -- /opt/ethocaffe/tools/run_in_image.sh "$@"
    }
    in_image --help > /dev/null
    in_image python3 -c 'import caffe; print(caffe.__version__, caffe.__file__)'
    in_image caffe --version
    in_image caffe train --solver=solver.prototxt
    in_image simulate cage --balanced --videos 2 --seconds 60
    in_image prepare cage --size 64
    in_image train mini/shape/cnn cage --hold-out "$(ls "$data/cage/videos" | head -1 | sed 's/\..*//')" --iterations 20 \
        --output model
    in_image predict model "cage/videos/$(ls "$data/cage/videos" | head -1)" --output out
    ls "$data"/out/*/ethogram.png "$data"/net_iter_10.caffemodel
    buildah rm "$container" > /dev/null
    echo "$1: works, $(buildah images --format '{{.Size}}' "localhost/$1")"
}

for target in "${@:-engine caffe}"; do
    for one in $target; do
        base "${release[$one]}"
        build "$one"
        try "$one"
    done
done
