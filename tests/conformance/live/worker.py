"""Runs names of a part on one side, in the box's folder: python3 -m live.worker SIDE PART NAMES.json OUT

Each name leaves OUT/<its index>.npz, or OUT/<its index>.error with the reason. Real Caffe ends the process where it
does not like something, so what is being run stands in OUT/current.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from importlib import import_module
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")


def main(side: str, part_name: str, names_file: str, out: str) -> None:
    import numpy as np

    import caffe

    part = import_module("live.parts." + part_name)
    folder = Path(out)
    for index, name in json.loads(Path(names_file).read_text()):
        (folder / "current").write_text(str(index))
        try:
            arrays = part.run(caffe, name, side)
        except Exception as error:  # whatever goes wrong is what is reported of this name
            (folder / f"{index}.error").write_text(f"{type(error).__name__}: {error}")
            continue
        np.savez(str(folder / "writing.npz"), **arrays)
        (folder / "writing.npz").rename(folder / f"{index}.npz")
        del arrays
        gc.collect()  # a solver and its callbacks hold each other, and in full size they are gigabytes


if __name__ == "__main__":
    main(*sys.argv[1:])
