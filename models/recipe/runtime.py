"""Reference inference by onnxruntime.

Graph optimisations are off: fused integer operators saturate on CPUs without VNNI, and the reference must not depend on the CPU.
"""

from pathlib import Path

import onnx
import onnxruntime

THREADS = 1  # the same sums in the same order on every machine


def session(model: onnx.ModelProto | Path, optimised: bool = False) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = THREADS, 1, 3
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

