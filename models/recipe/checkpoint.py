"""Reads a legacy (before 1.6) PyTorch state dict with numpy alone.

The file is five pickles (magic, protocol, machine, the state dict, the storage keys) followed by the raw storages.
Only the handful of classes such a dict needs can be unpickled; anything else is refused.
"""

import collections
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_TYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


@dataclass
class _Tensor:
    storage: str
    kind: str
    offset: int
    shape: tuple
    stride: tuple


def _rebuild(storage, offset, shape, stride, *_):
    return _Tensor(storage[0], storage[1], offset, shape, stride)


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if name in _TYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state dict")

    def persistent_load(self, reference):
        _, kind, key, *_ = reference
        return key, kind


def load(path: Path) -> dict[str, np.ndarray]:
    """The state dict's tensors by name."""
    with open(path, "rb") as file:
        for _ in range(3):
            _Reader(file).load()
        tensors, keys = _Reader(file).load(), _Reader(file).load()
        kinds = {t.storage: _TYPES[t.kind] for t in tensors.values()}
        storages = {}
        for key in keys:
            count = int.from_bytes(file.read(8), "little")
            kind = np.dtype(kinds[key])
            storages[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    arrays = {}
    for name, t in tensors.items():
        flat = storages[t.storage][t.offset :]
        strides = [s * flat.itemsize for s in t.stride]
        arrays[name] = np.lib.stride_tricks.as_strided(flat, t.shape, strides).copy()
    return arrays
