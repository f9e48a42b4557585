"""Record the names of real Caffe 1.0's layer types in golden/layer_types.txt.

usage, inside real Caffe: python3 tests/conformance/make_layer_types_golden.py
"""

from pathlib import Path

import caffe

GOLDEN = Path(__file__).resolve().parent / "golden" / "layer_types.txt"
GOLDEN.write_text("".join(f"{name}\n" for name in caffe.layer_type_list()))
