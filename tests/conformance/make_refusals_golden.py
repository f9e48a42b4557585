"""Record in golden/refusals.txt at which stage real Caffe 1.0 refuses (aborts at) each case of refusal_cases.py.

usage, inside real Caffe: python3 tests/conformance/make_refusals_golden.py
"""

import os
import tempfile

os.environ["GLOG_minloglevel"] = "4"

from refusal_cases import CASES, GOLDEN, stage_of

import caffe

lines = []
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for name in CASES:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with os.fdopen(writer, "w", 1) as stages:
                stage_of(caffe, name, lambda stage, to=stages: print(stage, file=to))
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader) as stages:
            lines.append(f"{name}: {stages.read().split()[-1]}\n")
GOLDEN.write_text("".join(lines))
