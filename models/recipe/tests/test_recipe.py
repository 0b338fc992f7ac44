"""The recipe's own arithmetic, on data small enough to check by hand. None of these needs a package."""

import io
import struct

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from recipe import equalize, fewshot, goldentokens, head, metrics, nomatch, pictures, pointing, policies, quantize, ranges, rcc, relevance, rounding, runtime
from recipe import softprompts, tensors, textmodel, trials, twins, words
from recipe.head import Head, conse


def small_table() -> words.Table:
    return words.Table(["red", "cat", "##s", "a"], np.arange(-12, 20, dtype=np.int8).reshape(4, 8), np.array([0.5, 1, 0.25, 0.01], np.float32))


def test_words_without_a_piece_are_dropped():
    table = small_table()
    assert table.ids("A réd  CATS, 猫 zebra!") == [3, 0, 1, 2]
    assert table.ids("cat" * 40) == []
    with pytest.raises(ValueError, match="no known piece"):
        table.encode(["zebra"])


def test_the_text_model_is_the_table():
    table = small_table()
    tokens, embedding = runtime.session(textmodel.export(table)).run(None, {"input_ids": np.array([[3, 0, 1, 2]])})
    np.testing.assert_allclose(tokens[0], table.rows[[3, 0, 1, 2]] * table.scales[[3, 0, 1, 2], None])
    np.testing.assert_allclose(embedding, table.encode(["a red cats"]), atol=1e-6)


def test_quantized_rows_are_within_half_a_step():
    rows = np.random.default_rng(0).normal(size=(5, 33))
    stored, scales = words.quantized_rows(rows)
    assert np.abs(stored * scales[:, None] - rows).max() <= scales.max() / 2 + 1e-6


def test_conse_mixes_the_likeliest_by_what_they_have_over_the_rest():
    texts = np.eye(3, dtype=np.float32)
    logits = np.log([[0.5, 0.3, 0.2]])
    np.testing.assert_allclose(conse(logits, texts, 1.0, 2), words.unit(np.array([[0.3, 0.1, 0]])), atol=1e-6)
    np.testing.assert_allclose(conse(logits, texts, 1.0, 3), words.unit(np.array([[0.5, 0.3, 0.2]])), atol=1e-6)


def test_metrics():
    scores = np.array([[0.9, 0.2, 0.1], [0.1, 0.3, 0.8]])
    answer = np.array([0, 0, 1])
    assert metrics.zero_shot_top1(scores, answer).tolist() == [True, False, True]
    assert metrics.recall(scores, answer, 1).tolist() == [True, True]
    assert metrics.reciprocal_ranks(scores, answer) == pytest.approx(((1 + 0.5 + 1) / 3, 1.0))
    assert metrics.mcnemar_p(0, 0) == 1 and metrics.mcnemar_p(5, 0) == 2 / 32 and metrics.mcnemar_p(3, 4) == 1


def test_a_standing_is_measured_in_the_backgrounds_own_spread():
    background = words.unit(np.array([[1, 0.1 * i] for i in range(-4, 5)], np.float32))
    labels = np.array([[0, 1]], np.float32)
    yardstick = nomatch.Yardstick.of(labels, background)
    assert yardstick.standing(np.array([[yardstick.median[0]]]))[0] == pytest.approx(0, abs=1e-6)
    assert yardstick.standing(np.array([[0.9]]))[0] > 2


def test_the_logistic_fit_separates():
    slope, intercept = trials.fit_logistic(np.array([-2.0, -1, 0, 1, 2, 3]), np.array([False, False, True, False, True, True]))
    assert slope > 0 and 0 < -intercept / slope < 1


def test_an_escalation_costs_both_inferences():
    answers = policies.Answers(np.array([[0, 0, 1], [1, 1, 1]], bool), np.array([[0.1, 0.1, 1], [0.9, 0.9, 1]]), np.array([3.0, 7.0]), np.array([1, 2, 4]))
    assert policies.by_entropy(answers, [4.0, 7.0]).tolist() == [0, 2]
    outcome = policies.play(answers, policies.fixed(answers, 1), 0.5)
    assert (outcome.accuracy, outcome.mean_macs, outcome.escalation_rate) == (1.0, (6 + 2) / 2, 0.5)


def test_entropy_of_plain_and_of_two_tones():
    plain = Image.new("RGB", (40, 30), (9, 99, 200))
    assert pictures.entropy_bits(plain) == 0
    halves = Image.fromarray(np.repeat(np.uint8([[0] * 160 + [255] * 160]), 320, 0)).convert("RGB")
    assert pictures.entropy_bits(halves) == pytest.approx(1, abs=0.01)


def test_transparency_lies_on_white():
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(buffer, "PNG")
    assert pictures.load(io.BytesIO(buffer.getvalue())).getpixel((0, 0)) == (255, 255, 255)


def test_tensors_come_back():
    stored = {"b": np.arange(6, dtype=np.int8).reshape(2, 3), "a": np.float16([1, 2]), "c": np.float32([[0.5]])}
    back = tensors.deserialize(tensors.serialize(stored))
    assert {k: v.tolist() for k, v in back.items()} == {k: v.tolist() for k, v in stored.items()}


def test_golden_strings_are_many_and_distinct(monkeypatch):
    synset = type("Synset", (), {"words": tuple(f"noun{i}" for i in range(400))})
    monkeypatch.setattr(goldentokens.wordnet, "nouns", lambda: {"0": synset})
    texts = goldentokens.strings()
    assert len(texts) == len(set(texts)) == goldentokens.COUNT and texts == goldentokens.strings()


def test_resource_files_stay_inside_their_target(tmp_path):
    names = struct.pack(">HI", 2, 0) + "..".encode("utf-16-be")
    tree = struct.pack(">IHIIQ", 0, 2, 1, 1, 0) + struct.pack(">IHIIQ", 0, 0, 0, 0, 0)
    header = b"qres" + struct.pack(">4I", 2, 20, 20 + len(tree) + len(names), 20 + len(tree))
    (tmp_path / "x.rcc").write_bytes(header + tree + names + struct.pack(">I", 1) + b"!")
    with pytest.raises(ValueError, match="outside"):
        rcc.extract(tmp_path / "x.rcc", tmp_path / "out")


def test_rounding_keeps_the_output_better_than_rounding_to_nearest():
    chance = np.random.default_rng(3)
    inputs = chance.normal(size=(16, 500)) + chance.normal(size=(1, 500)) * 3
    weight, scale = chance.normal(size=(4, 16)), np.full(4, 0.2)
    rounded = rounding._round_rows(weight, scale, np.cov(inputs))
    nearest = np.round(weight / 0.2)
    lost = [np.abs((weight - q * 0.2) @ (inputs - inputs.mean(1, keepdims=True))).mean() for q in (rounded, nearest)]
    assert lost[0] < 0.7 * lost[1]


def test_patches_pad_like_the_convolution():
    x = np.random.default_rng(1).normal(size=(1, 2, 7, 7)).astype(np.float32)
    weight = np.random.default_rng(2).normal(size=(3, 2, 3, 3)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER", group=1)
    shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 2, 7, 7]), ("y", [1, 3, 4, 4]))]
    graph = helper.make_graph([node], "g", shapes[:1], shapes[1:], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    expected = runtime.session(model).run(None, {"x": x})[0].reshape(3, -1)
    patches = rounding._patches(x[0], node).reshape(18, -1)
    np.testing.assert_allclose(weight.reshape(3, -1) @ patches, expected, atol=1e-5)


def small_network() -> onnx.ModelProto:
    """A stem with a dead and a loud channel, a depthwise layer, a bottleneck with an addition, and what reads it."""
    chance = np.random.default_rng(5)
    shapes = {"stem": (8, 3, 3, 3), "block0_depthwise": (8, 1, 3, 3), "block0_project": (4, 8, 1, 1), "branch": (4, 4, 1, 1), "features": (6, 4, 1, 1)}
    values = {f"{name}_w": chance.normal(size=shape) for name, shape in shapes.items()} | {f"{n}_b": chance.normal(size=s[0]) for n, s in shapes.items()}
    values["stem_w"][5], values["stem_b"][5] = 0, -1
    values["block0_depthwise_w"][2] *= 20
    values["block0_project_w"][1] *= 30
    constants = [numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in (values | {"zero": 0, "six": 6}).items()]
    nodes = []

    def node(operator: str, inputs: list[str], name: str, **attributes) -> None:
        nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))

    for name, source in (("stem", "image"), ("block0_depthwise", "stem_relu6"), ("block0_project", "block0_depthwise_relu6"), ("branch", "block0_project"), ("features", "sum")):
        size, group = shapes[name][2], 8 if "depthwise" in name else 1
        if name == "features":
            node("Add", ["block0_project", "branch"], "sum")
        node("Conv", [source, f"{name}_w", f"{name}_b"], name, kernel_shape=[size] * 2, strides=[1, 1], group=group, auto_pad="SAME_UPPER")
        if name in ("stem", "block0_depthwise"):
            node("Clip", [name, "zero", "six"], f"{name}_relu6")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 16, 16]) for n, c in (("image", 3), ("features", 6))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def constant(model: onnx.ModelProto, name: str) -> np.ndarray:
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == name))


def pictures_of_noise(count: int) -> list[np.ndarray]:
    chance = np.random.default_rng(6)
    return [chance.uniform(-1, 1, size=(1, 3, 16, 16)).astype(np.float32) for _ in range(count)]


def test_a_dead_channel_becomes_half_of_the_loudest():
    network = small_network()
    filled, [image] = twins.fill(network), pictures_of_noise(1)
    np.testing.assert_array_equal(constant(filled, "stem_w")[5], constant(network, "stem_w")[2])
    assert constant(filled, "stem_b")[5] - constant(filled, "stem_b")[2] == pytest.approx(3 / 255)
    np.testing.assert_allclose(constant(filled, "block0_project_w")[:, [2, 5]], constant(network, "block0_project_w")[:, [2, 2]] / 2)
    before, after = (runtime.session(m).run(["features"], {"image": image})[0].reshape(1, -1) for m in (network, filled))
    assert metrics.row_cosines(after, before)[0] > 0.999


def test_equal_channels_compute_the_same():
    network, inputs = small_network(), pictures_of_noise(4)
    equal = equalize.equalize(network, inputs)
    before, after = (runtime.session(m).run(["features"], {"image": inputs[0]})[0] for m in (network, equal))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-3)
    spread = [np.ptp(np.log(equalize._sizes(m, ["sum"], inputs)["sum"])) for m in (network, equal)]
    assert spread[1] < 0.5 * spread[0]


def test_rare_extremes_do_not_set_the_range():
    shares = np.exp(-0.5 * np.linspace(-20, 20, ranges._BINS) ** 2)
    low, high = ranges._narrowest(shares, -20, 20)
    assert -8 < low < -3 and 3 < high < 8
    assert ranges._narrowest(np.ones(ranges._BINS), 0, 6) == (0, 6)


def test_no_bias_comes_near_the_end_of_i32():
    network, inputs = small_network(), pictures_of_noise(4)
    stem = next(t for t in network.graph.initializer if t.name == "stem_w")
    weight = numpy_helper.to_array(stem).copy()
    weight[5] = 1e-9
    stem.CopyFrom(numpy_helper.from_array(weight, "stem_w"))
    int8 = rounding.refine(network, ranges.narrow(network, quantize.quantize(network, inputs), inputs), inputs)
    biases = [numpy_helper.to_array(t) for t in int8.graph.initializer if t.data_type == TensorProto.INT32]
    assert biases and max(np.abs(b.astype(np.int64)).max() for b in biases) <= 2**24
    exact, got = (runtime.session(m).run(["features"], {"image": inputs[0]})[0] for m in (network, int8))
    assert metrics.row_cosines(exact.reshape(1, -1), got.reshape(1, -1))[0] > 0.99


def _relevance_head() -> Head:
    weight = np.array([[127, 0], [0, 127], [127, 127]], np.int8)
    texts = np.eye(3, dtype=np.int8) * 100
    return Head(weight, np.full(3, 1 / 127, np.float32), np.zeros(3), texts, np.full(3, 0.01, np.float32), 1.0, 2)


def test_a_key_reads_its_class_over_the_mean():
    keys = relevance.keys(_relevance_head(), np.eye(3, dtype=np.float32), sharpness=100)
    logits = np.array([0.5, 2.0, 2.5])
    np.testing.assert_allclose(np.array([0.5, 2.0]) @ keys.T, logits - logits.mean(), atol=1e-3)


def test_blocks_attend_to_what_their_mean_picks():
    cells = np.zeros((3, 3, 2))
    cells[:2, :2, 0], cells[2, 2, 1] = 20, 20
    shares = relevance.attend(cells, np.eye(2), relevance.Blocks(2, 1))
    assert shares[0, 0, 0] > 0.9 and shares[0, 0, 1] == 0
    assert shares[2, 2, 1] > 0.9 and shares[2, 2, 0] == 0
    everything = relevance.attend(cells, np.eye(2), relevance.Blocks(2, None))
    np.testing.assert_allclose(everything, relevance.attend(cells, np.eye(2), relevance.Blocks(2, 2)))
    assert (everything.sum(-1) < 1).all()


def test_a_peak_is_where_the_cell_is():
    grid = np.zeros((5, 7))
    grid[1, 4] = 0.5
    x, y = relevance.peak(grid)
    assert abs(x - 4.5 / 7) < 0.01 and abs(y - 1.5 / 5) < 0.01
    assert relevance.peak(np.zeros((4, 4))) is None


def test_the_cost_of_blocks_counts_choosing():
    whole = pointing._cost(7, 10, 80, relevance.Blocks(1, None))
    assert whole == {"macs": 10 * 49 * 81, "exponentials": 49 * 81}
    local = pointing._cost(7, 10, 80, relevance.Blocks(2, 16))
    assert local == {"macs": 10 * (16 * 80 + 49 * 17), "exponentials": 49 * 17}


def test_soft_prompts_are_learnt_and_mixed():
    labels = words.unit(np.array([[1, 0, 0.2], [0, 1, 0.2]], np.float32))
    # Both kinds of pictures lean the same way, which an offset for all labels cannot hurt and a rotation of one would.
    pictures = words.unit(np.array([[1, 0.8, 0], [0.8, 1, 0]], np.float32))
    lesson = softprompts.Lesson(pictures, labels, np.array([0, 1]))

    def loss(made):
        return float(-np.log(head.softmax(9.5 * pictures @ made.T)[[0, 1], [0, 1]]).mean())

    offsets = softprompts.learn([lesson], 9.5, 0.001)
    assert loss(softprompts.soft(labels, offsets)) < loss(labels) - 0.001
    np.testing.assert_array_equal(offsets, softprompts.learn([lesson], 9.5, 0.001))
    np.testing.assert_allclose(softprompts.mixed(labels, labels, offsets, 0.0), labels, atol=1e-6)
    np.testing.assert_allclose(softprompts.mixed(labels, labels, offsets, 1.0), softprompts.soft(labels, offsets), atol=1e-6)


def test_the_nearest_example_of_a_label_counts():
    near = fewshot.nearest(np.array([[0.9, 0.2, 0.5]]), np.array([0, 0, 2]), 3)
    assert near.tolist() == [[0.9, -np.inf, 0.5]]
    scored = fewshot.scores(np.zeros((1, 3)), near, 2.0, 8.0)[0]
    assert scored[1] == 0 and scored[0] == pytest.approx(2 * np.exp(-0.8))


def test_leaving_out_needs_two_labels_and_a_pair():
    keys, default = np.eye(3), (fewshot.WEIGHT, fewshot.SHARPNESS)
    assert fewshot.leave_one_out(np.zeros((3, 1)), keys, np.zeros(3, int), 9.5) == default
    assert fewshot.leave_one_out(np.zeros((3, 3)), keys, np.arange(3), 9.5) == default
    # Words that say the other label, examples that say the right one.
    keys = words.unit(np.array([[1, 0.1], [1, 0], [0.1, 1], [0, 1]]))
    misled = np.array([[0, 0.6], [0, 0.6], [0.6, 0], [0.6, 0]])
    weight, _ = fewshot.leave_one_out(misled, keys, np.array([0, 0, 1, 1]), 9.5)
    assert weight >= fewshot.WEIGHT
