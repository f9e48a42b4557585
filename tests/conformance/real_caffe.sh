#!/usr/bin/env bash
# Real Caffe 1.0 on the CPU, from Debian 11's packages in a chroot: what the engine is held against.
#
#   real_caffe.sh                          build it (about two minutes), or do nothing where it is built
#   real_caffe.sh DIR COMMAND [ARG ...]    run COMMAND inside, with DIR mounted at /mnt as working folder
#
# e.g. real_caffe.sh . caffe train --solver=solver.prototxt
# REAL_CAFFE names the folder it lives in (default: ~/.cache/real-caffe), DEBIAN_MIRROR a mirror of Debian (default: this
# system's own). Needs root; debootstrap is installed where apt-get can. The mounts go when the command ends.
set -euo pipefail
root=${REAL_CAFFE:-$HOME/.cache/real-caffe}
packages='caffe python3-caffe libopenblas0-pthread python3-av python3-h5py python3-jinja2 python3-lmdb python3-matplotlib
          python3-opencv python3-pydot python3-pytest python3-sklearn python3-tqdm'

fail() { echo "real Caffe: $*" >&2; exit 1; }

# The mirror that this Debian is itself installed from; nothing on another system: debootstrap knows a default.
mirror() {
  grep -qs '^ID=debian' /etc/os-release || return 0
  awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null && return 0
  awk '$1 == "deb" {for (i = 2; i < NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' /etc/apt/sources.list 2>/dev/null || true
}

install_into() {
  debootstrap --variant=minbase bullseye "$1" ${DEBIAN_MIRROR:-$(mirror)}
  cp /etc/resolv.conf /etc/hosts "$1/etc/"
  # what this system needs to reach the mirror: proxies, certificates
  cp -r /etc/apt/apt.conf.d/. "$1/etc/apt/apt.conf.d/"
  mkdir -p "$1/etc/ssl"
  cp -r /etc/ssl/certs "$1/etc/ssl/"
  chroot "$1" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get install -y -qq --no-install-recommends $packages
  chroot "$1" apt-get clean
}

build() {
  command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap >/dev/null 2>&1 \
    || { apt-get update -qq && apt-get install -y -qq debootstrap; } >/dev/null 2>&1 \
    || fail 'debootstrap is missing and could not be installed; install the package debootstrap'
  local new=$root.new log=$root.log
  rm -rf --one-file-system "$new"
  mkdir -p "$new"
  # in the background, where a failing line ends it: behind || it would not
  install_into "$new" >"$log" 2>&1 </dev/null &
  wait $! || fail "it could not be built; $log says why: $(tail -n 1 "$log")"
  touch "$new/.ready"
  rm -rf --one-file-system "$root"
  mv "$new" "$root"
}

[[ $EUID == 0 ]] || fail 'it is built and runs in a chroot, which needs root; run this as root'
[[ -e $root/.ready ]] || build
[[ $# -ge 2 ]] || exit 0
dir=$(cd "$1" && pwd) || fail "there is no folder $1"
shift
exec unshare --mount bash -c '
  root=$1 dir=$2; shift 2
  mkdir -p "$root/mnt"
  mount --bind "$dir" "$root/mnt"; mount --bind /proc "$root/proc"; mount --bind /dev "$root/dev"
  exec chroot "$root" env -i PATH=/usr/bin:/bin HOME=/root GLOG_minloglevel="${GLOG_minloglevel:-0}" \
    OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-}" ${OPENBLAS_CORETYPE:+OPENBLAS_CORETYPE="$OPENBLAS_CORETYPE"} \
    ${OPENBLAS_L2_SIZE:+OPENBLAS_L2_SIZE="$OPENBLAS_L2_SIZE"} \
    PYTHONPATH="${PYTHONPATH:-}" sh -c "cd /mnt && exec \"\$@\"" sh "$@"' bash "$root" "$dir" "$@"
