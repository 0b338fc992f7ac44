"""The text tower that takes tokens' embeddings against the one that takes ids, and what a prefix does."""

import numpy as np
import pytest

from recipe import runtime, tensors
from recipe.clip import bpe, draft, prefix, random_models, towers
from recipe.clip.layout import Options
from recipe.clip.pixels import Pixels

_OPTIONS = Options("quick-gelu", 8, 8)
_CONTEXT, _WIDTH = 12, 16
_LENGTHS = [6, 12]


@pytest.fixture
def tower():
    tokens = bpe.train(["a cat", "a dog", "a red boat"], 6).tokens()
    weights = random_models.Weights(3)
    random_models.text_tower(weights, len(tokens.pieces), _CONTEXT, _WIDTH, 2, 8)
    return tokens, weights.state, towers.text(weights.state, _OPTIONS)


def _made() -> dict[str, bytes]:
    return {"manifest.toml": b""}


def _facts() -> draft.Facts:
    return draft.Facts("tiny", "MIT", "", (32,), Pixels(), _OPTIONS)


def test_without_a_prefix_both_forms_compute_the_same(tower):
    tokens, _, of_ids = tower
    of_embeddings, rows, scales = prefix.of_embeddings(of_ids)
    for text, length in (("a cat", 6), ("a red boat", 12), ("", 6), ("a dog a dog a dog a dog a dog", 12)):
        ids = tokens.laid(text, _LENGTHS)
        assert ids.shape == (1, length)
        want = runtime.session(of_ids).run(None, {"input_ids": ids})[0]
        given = rows[ids].astype(np.float32) * scales[ids][..., None]
        got = runtime.session(of_embeddings).run(None, {prefix.INPUT: given})[0]
        np.testing.assert_array_equal(got, want)


def test_a_prefix_stands_between_the_start_and_the_label(tower):
    tokens, _, of_ids = tower
    _, rows, scales = prefix.of_embeddings(of_ids)
    laid = prefix._layout(tokens, _LENGTHS, rows, scales)
    # Vectors that are the rows of a word are that word.
    word = tokens.encode("a red")
    vectors = rows[word].astype(np.float32) * scales[word, None]
    (with_words,), (with_vectors,) = laid("a red boat", None), laid("boat", vectors)
    np.testing.assert_array_equal(with_vectors, with_words)
    assert laid("boat", np.zeros((9, _WIDTH), np.float32)).shape == (1, 12, _WIDTH)


def test_a_draft_says_how_wide_and_how_many(tower, tmp_path):
    tokens, state, _ = tower
    vectors = np.ones((2, _WIDTH), np.float32)
    made = prefix.files(_made(), state, tokens, _facts(), ["a cat", "a dog"], vectors, 0.25)
    text = made["manifest.toml"].decode()
    assert 'file = "tokens.safetensors"\nwidth = 16\n' in text
    assert "prefix = 2\ndimension = 16\nmix = 0.25\n" in text
    assert tensors.deserialize(made["prompts.safetensors"])["prefix"].shape == (2, _WIDTH)
    assert tensors.deserialize(made["tokens.safetensors"])["tokens"].shape == (len(tokens.pieces), _WIDTH)
    with pytest.raises(ValueError, match="vectors of 16.* got 8"):
        prefix.files(_made(), state, tokens, _facts(), ["a cat"], np.ones((2, 8), np.float32), 0.5)

    path = tmp_path / "learnt.safetensors"
    path.write_bytes(tensors.serialize({"ctx": vectors}))
    np.testing.assert_array_equal(prefix.read(path), vectors)
    path.write_bytes(tensors.serialize({"ctx": vectors[None]}))
    with pytest.raises(ValueError, match="of a class each"):
        prefix.read(path)
