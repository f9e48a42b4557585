"""Record what real Caffe 1.0's tools make of tool_cases.py in golden/tools.json.

usage, inside real Caffe: python3 tests/conformance/make_tools_golden.py
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from tool_cases import LIST, PIXELS, ROOT, digest, write_images

GOLDEN = Path(__file__).resolve().parent / "golden" / "tools.json"


def run(*command):
    """What the tool logs, without glog's prefix."""
    environment = {**os.environ, "GLOG_minloglevel": "0"}
    log = subprocess.run(command, env=environment, check=True, stderr=subprocess.PIPE, text=True).stderr
    return [line.split("] ", 1)[1] for line in log.splitlines()]


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    write_images(Path(folder), ("png", "bmp"))
    found = {}
    for name, flags in PIXELS.items():
        log = run("convert_imageset", *flags, ROOT, LIST, name)
        found[name] = {"log": log, "digest": digest(Path(name))}
    log = run("compute_image_mean", "resized", "mean.binaryproto")
    found["mean"] = {"log": log, "bytes": Path("mean.binaryproto").read_bytes().hex()}
    os.chdir("/")
GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
