"""Writes safetensors files: a length, a JSON header, the raw little-endian tensors in name order."""

import json
import struct

import numpy as np

_TYPES = {"int8": "I8", "uint8": "U8", "float16": "F16", "float32": "F32"}
_ALIGNMENT = 64


def serialize(tensors: dict[str, np.ndarray]) -> bytes:
    """The file's bytes. The header is padded with spaces so that every file starts its data at a multiple of 64."""
    header, blobs, offset = {}, [], 0
    # Widest type first, so that every tensor is aligned to its own element.
    for name in sorted(tensors, key=lambda n: (-tensors[n].dtype.itemsize, n)):
        blob = np.ascontiguousarray(tensors[name]).tobytes()
        header[name] = {"dtype": _TYPES[tensors[name].dtype.name], "shape": list(tensors[name].shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)


def deserialize(blob: bytes) -> dict[str, np.ndarray]:
    """The tensors of a file that `serialize` made."""
    (length,) = struct.unpack("<Q", blob[:8])
    types = {v: np.dtype(k) for k, v in _TYPES.items()}
    tensors = {}
    for name, entry in json.loads(blob[8 : 8 + length]).items():
        start, end = (8 + length + o for o in entry["data_offsets"])
        tensors[name] = np.frombuffer(blob[start:end], types[entry["dtype"]]).reshape(entry["shape"])
    return tensors
