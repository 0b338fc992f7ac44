"""Unpacks binary Qt resource files (`.rcc`): a tree of names, each leaf pointing at a stored, deflated or zstd blob."""

import struct
import subprocess
import zlib
from pathlib import Path

_DEFLATED, _DIRECTORY, _ZSTD = 1, 2, 4


def extract(source: Path, target: Path) -> int:
    """Writes every file of `source` below `target`; returns how many."""
    blob = source.read_bytes()
    if blob[:4] != b"qres":
        raise ValueError(f"{source}: not a Qt resource file")
    version, tree, data, names = struct.unpack(">4I", blob[4:20])
    node_bytes = 14 if version == 1 else 22

    def name(offset: int) -> str:
        (length,) = struct.unpack(">H", blob[names + offset : names + offset + 2])
        return blob[names + offset + 6 : names + offset + 6 + 2 * length].decode("utf-16-be")

    def content(offset: int, flags: int) -> bytes:
        (size,) = struct.unpack(">I", blob[data + offset : data + offset + 4])
        stored = blob[data + offset + 4 : data + offset + 4 + size]
        if flags & _DEFLATED:
            return zlib.decompress(stored[4:])
        if flags & _ZSTD:
            return subprocess.run(["zstd", "-dc"], input=stored, capture_output=True, check=True).stdout
        return stored

    def walk(index: int, path: Path) -> int:
        node = tree + index * node_bytes
        name_offset, flags = struct.unpack(">IH", blob[node : node + 6])
        here = path / name(name_offset) if index else path
        if flags & _DIRECTORY:
            count, first = struct.unpack(">II", blob[node + 6 : node + 14])
            return sum(walk(child, here) for child in range(first, first + count))
        (offset,) = struct.unpack(">I", blob[node + 10 : node + 14])
        if target.resolve() not in here.resolve().parents:
            raise ValueError(f"{source}: {here} lies outside of {target}")
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_bytes(content(offset, flags))
        return 1

    return walk(0, target)
