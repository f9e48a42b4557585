"""show what the GPUs are"""

from __future__ import annotations

import ctypes

from caffe import glog
from caffe.commands.common import Flags, chosen_gpus, gpu_name, only
from caffe.errors import CaffeError

USAGE = "--gpu=N"
FLAGS = only("gpu")

# label as Caffe::DeviceQuery (src/caffe/common.cpp) prints it → numbers of CUdevice_attribute (cuda.h), shown with ', '
_BEFORE_NAME: dict[str, tuple[int, ...]] = {"Major revision number:": (75,), "Minor revision number:": (76,)}
_AFTER_NAME: dict[str, tuple[int, ...]] = {
    "Total shared memory per block:": (8,), "Total registers per block:": (12,), "Warp size:": (10,),
    "Maximum memory pitch:": (11,), "Maximum threads per block:": (1,), "Maximum dimension of block:": (2, 3, 4),
    "Maximum dimension of grid:": (5, 6, 7), "Clock rate:": (13,), "Total constant memory:": (9,),
    "Texture alignment:": (14,), "Concurrent copy and execution:": (15,), "Number of multiprocessors:": (16,),
    "Kernel execution timeout:": (17,),
}
_YES_OR_NO = ("Concurrent copy and execution:", "Kernel execution timeout:")


def run(flags: Flags, arguments: list[str]) -> None:
    """`device_query` of tools/caffe.cpp. Raises CaffeError where there is no such CUDA device."""
    import torch

    glog.info(f"Querying GPUs {flags['gpu']}")
    count = torch.cuda.device_count()
    if not count:
        raise CaffeError("there is no CUDA device here, or no driver for it: nets are computed on the CPU")
    for index in chosen_gpus(str(flags["gpu"]) or "all"):
        if not 0 <= index < count:
            raise CaffeError(f"--gpu={index}: this machine has CUDA devices 0 to {count - 1}")
        _show("Device id:", index)
        _show_attributes(_BEFORE_NAME, index)
        _show("Name:", gpu_name(index))
        _show("Total global memory:", torch.cuda.get_device_properties(index).total_memory)
        _show_attributes(_AFTER_NAME, index)


def _show_attributes(rows: dict[str, tuple[int, ...]], index: int) -> None:
    for label, numbers in rows.items():
        values = [_attribute(number, index) for number in numbers]
        _show(label, ("No", "Yes")[values[0] > 0] if label in _YES_OR_NO else ", ".join(map(str, values)))


def _show(label: str, value: object) -> None:
    glog.info(f"{label:31}{value}")


def _attribute(number: int, index: int) -> int:
    """cuDeviceGetAttribute of the driver: torch knows only some of them."""
    driver = ctypes.CDLL("libcuda.so.1")
    device, value = ctypes.c_int(), ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), index) or driver.cuDeviceGetAttribute(
            ctypes.byref(value), number, device):
        raise CaffeError(f"the CUDA driver does not answer for device {index}")
    return value.value
