#!/bin/sh
# Run inside real Caffe 1.0, in this folder: writes what it makes of every net and solver here.
set -u
for file in *.prototxt; do
    case $file in solver_*) tool=upgrade_solver_proto_text ;; *) tool=upgrade_net_proto_text ;; esac
    $tool "$file" "${file%.prototxt}.upgraded" || echo "$file: status $?"
done
