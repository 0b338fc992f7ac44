"""Reads a state dict with numpy alone: safetensors, a PyTorch file of 1.6 or newer (a zip), or an older one."""

import collections
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np

from .. import checkpoint

_SAFETENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "bf16", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}
_STORAGES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bf16", "LongStorage": "<i8", "IntStorage": "<i4", "ByteStorage": "u1", "BoolStorage": "?"}


def load(path: Path) -> dict[str, np.ndarray]:
    """The tensors by name; reals become f32."""
    if path.suffix == ".safetensors":
        return _safetensors(path.read_bytes())
    if zipfile.is_zipfile(path):
        return _zipped(path)
    return checkpoint.load(path)


def _array(data: bytes, kind: str, shape) -> np.ndarray:
    if kind == "bf16":
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    values = np.frombuffer(data, kind).reshape(shape)
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _safetensors(blob: bytes) -> dict[str, np.ndarray]:
    (length,) = struct.unpack("<Q", blob[:8])
    tensors = {}
    for name, entry in json.loads(blob[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = _array(blob[start:end], _SAFETENSORS[entry["dtype"]], entry["shape"])
    return tensors


class _Reader(pickle.Unpickler):
    """Unpickles tensors, dictionaries and plain values; anything else of a checkpoint becomes nothing, and no code of it runs."""

    def __init__(self, file, storage):
        super().__init__(file)
        self._storage = storage

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _rebuild
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda tensor, *_: tensor
        if module.startswith("torch") and name in _STORAGES:
            return name
        return lambda *_, **__: None

    def persistent_load(self, reference):
        _, kind, key, *_ = reference
        return self._storage(key, _STORAGES[kind])


def _rebuild(storage, offset, shape, stride, *_):
    flat = storage[offset:]
    strides = [s * flat.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(flat, shape, strides).copy()


def _zipped(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        (index,) = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
        folder = index.removesuffix("data.pkl")

        def storage(key: str, kind: str) -> np.ndarray:
            data = archive.read(f"{folder}data/{key}")
            return _array(data, kind, -1)

        state = _Reader(io.BytesIO(archive.read(index)), storage).load()
    # Trainers put the weights beside an optimizer's state.
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    tensors = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    if not tensors:
        raise ValueError(f"{path}: expected a state dict, got no tensor; save model.state_dict(), not a scripted model")
    return tensors
