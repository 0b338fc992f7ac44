"""Labels a NumPy array through the C library, with nothing but ctypes between them.

    label.py LIBRARY PIXELS WIDTH HEIGHT RESOLUTION LABEL...

PIXELS holds rows of RGB bytes. One JSON object is printed. `Ocellus` is a class to start from: frames are passed as they
lie in memory, views with wide rows included, and a status that is not OCELLUS_OK is an exception with its message.
"""

import ctypes
import json
import sys
from ctypes import byref, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p, sizeof

import numpy as np

POLICY_FIXED = 1


class Plane(ctypes.Structure):
    """ocellus_plane"""

    _fields_ = [
        ("data", c_void_p),
        ("offset", c_size_t),
        ("stride", c_size_t),
        ("size", c_size_t),
        ("fd", c_int32),
    ]


class Frame(ctypes.Structure):
    """ocellus_frame"""

    _fields_ = [
        *((name, c_uint32) for name in ("struct_size", "fourcc", "width", "height", "plane_count")),
        *((name, c_int32) for name in ("matrix", "range", "rotation", "flip_horizontal", "flip_vertical")),
        *((name, c_uint32) for name in ("crop_x", "crop_y", "crop_width", "crop_height")),
        ("timestamp_ns", c_int64),
        ("cookie", c_uint64),
        ("planes", Plane * 4),
    ]


class Options(ctypes.Structure):
    """ocellus_session_options"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("policy", c_int32),
        ("resolution", c_uint32),
        ("margin", c_float),
        ("thresholds_bits", c_void_p),
        ("threshold_count", c_uint32),
        ("crop", c_int32),
        ("relevance", c_int32),
        *((name, c_uint32) for name in ("block_height", "block_width", "top_k")),
        ("on_result", c_void_p),
        ("on_result_context", c_void_p),
        ("when_busy", c_int32),
        *((name, c_uint32) for name in ("stale_after_us", "budget_us")),
    ]


class Hit(ctypes.Structure):
    """ocellus_hit"""

    _fields_ = [("label", c_uint32), ("score", c_float), ("probability", c_float)]


class Result(ctypes.Structure):
    """ocellus_result"""

    _fields_ = [
        *((name, c_uint32) for name in ("struct_size", "label_count", "hit_count")),
        ("no_match", c_int32),
        ("match_probability", c_float),
        ("entropy_bits", c_float),
        ("resolution", c_uint32),
        ("escalated", c_int32),
        ("dropped", c_uint32),
        ("flags", c_uint32),
        *((f"{stage}_us", c_uint64) for stage in ("decode", "queue", "look", "resize", "encode", "heads", "total")),
        ("timestamp_ns", c_int64),
        ("cookie", c_uint64),
    ]


class Ocellus:
    """A session on the default bundle."""

    def __init__(self, library, labels, resolution=0):
        self._library = ctypes.CDLL(library)
        self._library.ocellus_last_error.argtypes = [c_char_p, c_size_t]
        self._library.ocellus_last_error.restype = c_size_t
        self._library.ocellus_status_name.restype = c_char_p
        self._call("ocellus_abi_check", c_uint32(1), c_uint32(0))
        self._bundle, self._runtime, self._session = c_void_p(), c_void_p(), c_void_p()
        self._call("ocellus_bundle_default", byref(self._bundle))
        self._call("ocellus_runtime_new", self._bundle, None, byref(self._runtime))
        options = self._new(Options, "ocellus_session_options")
        if resolution:
            options.policy, options.resolution = POLICY_FIXED, resolution
        self._call("ocellus_session_new", self._runtime, byref(options), byref(self._session))
        texts = [label.encode() for label in labels]
        array = (c_char_p * len(texts))(*texts)
        lengths = (c_size_t * len(texts))(*map(len, texts))
        self._call("ocellus_session_set_labels", self._session, array, lengths, c_size_t(len(texts)))
        self._labels = len(texts)

    def infer(self, pixels):
        """The hits, best first, and the result of an array [height, width, 3] of RGB bytes."""
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"expected uint8 [height, width, 3], got {pixels.dtype} {pixels.shape}")
        if pixels.strides[1:] != (3, 1) or pixels.strides[0] < 3 * pixels.shape[1]:
            pixels = np.ascontiguousarray(pixels)
        height, width, _ = pixels.shape
        frame = self._new(Frame, "ocellus_frame")
        frame.fourcc = int.from_bytes(b"RGB3", "little")
        frame.width, frame.height = width, height
        plane = frame.planes[0]
        plane.data, plane.stride = pixels.ctypes.data, pixels.strides[0]
        plane.size = (height - 1) * plane.stride + 3 * width
        result, hits = self._new(Result, "ocellus_result"), (Hit * self._labels)()
        self._call("ocellus_session_infer", self._session, byref(frame), byref(result), hits, c_size_t(self._labels))
        return hits[: result.hit_count], result

    def close(self):
        """Frees everything; once more does nothing."""
        for kind in ("session", "runtime", "bundle"):
            self._call(f"ocellus_{kind}_free", getattr(self, f"_{kind}"))
            setattr(self, f"_{kind}", c_void_p())

    def _new(self, struct, name):
        made = struct()
        self._call(f"{name}_init", byref(made), c_uint32(sizeof(struct)))
        return made

    def _call(self, function, *arguments):
        status = getattr(self._library, function)(*arguments)
        if status != 0:
            message = ctypes.create_string_buffer(512)
            self._library.ocellus_last_error(message, len(message))
            name = self._library.ocellus_status_name(c_int32(status)).decode()
            raise RuntimeError(f"{function}: {name}: {message.value.decode()}")


def answer(hits, result):
    """What `ocellus label --json` calls the same."""
    return {
        "labels": [{"index": hit.label, "score": hit.score, "probability": hit.probability} for hit in hits],
        "no_match": bool(result.no_match),
        "match_probability": result.match_probability,
        "entropy_bits": result.entropy_bits,
        "resolution": result.resolution,
        "escalated": bool(result.escalated),
    }


def main():
    library, path, width, height, resolution, *labels = sys.argv[1:]
    pixels = np.fromfile(path, np.uint8).reshape(int(height), int(width), 3)
    ocellus = Ocellus(library, labels, int(resolution))
    wanted = answer(*ocellus.infer(pixels))
    # The same pixels in the middle of a larger array are the same picture, and none is copied.
    framed = np.full((pixels.shape[0] + 2, pixels.shape[1] + 8, 3), 200, np.uint8)
    view = framed[1:-1, 3:-5]
    view[:] = pixels
    assert answer(*ocellus.infer(view)) == wanted, "a view differs from its copy"
    # Rows from the bottom up have no stride that the library takes: they are copied, not misread.
    mirror = answer(*ocellus.infer(pixels[::-1]))
    assert mirror == answer(*ocellus.infer(pixels[::-1].copy())) != wanted, "a mirror is misread"
    try:
        ocellus.infer(pixels[:0])
    except RuntimeError as error:
        assert "OCELLUS_E_FRAME_SIZE" in str(error), error
    else:
        raise AssertionError("a frame of no rows was taken")
    ocellus.close()
    ocellus.close()
    print(json.dumps(wanted))


main()
