"""CLIP's byte pairs as the bundle has them: `vocab.txt`, a piece a line, and `merges.txt`, a pair a line in the order of training."""

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from .tokens import Tokens

START, END, PAD = "<|startoftext|>", "<|endoftext|>", "!"
_WORD_END = "</w>"
_MERGES = 49152 - 256 - 2  # those of OpenAI's file that count; it holds more


@dataclass(frozen=True)
class BytePairs:
    pieces: list[str]
    merges: list[tuple[str, str]]

    def files(self) -> dict[str, bytes]:
        merges = [" ".join(pair) for pair in self.merges]
        return {name: ("\n".join(lines) + "\n").encode() for name, lines in (("vocab.txt", self.pieces), ("merges.txt", merges))}

    def tokens(self) -> Tokens:
        if self.pieces[-1] != END:
            raise ValueError(f"expected {END} to be the last piece, since the tower pools at the largest id; got {self.pieces[-1]!r}")
        return Tokens(self.files(), self.pieces, encoder(self), START, END, PAD, merges="merges.txt")


def letters() -> list[str]:
    """The printable character of each byte in the order of CLIP's ids: those that stand for themselves, then the others."""
    own = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in own] + [chr(0x100 + i) for i in range(256 - len(own))]


def of_merges(merges: list[tuple[str, str]]) -> BytePairs:
    """CLIP numbers bytes, bytes that end a word, what each merge makes, and its two special pieces, in this order."""
    pieces = letters() + [letter + _WORD_END for letter in letters()] + ["".join(pair) for pair in merges] + [START, END]
    return BytePairs(pieces, merges)


def read(path: Path) -> BytePairs:
    """OpenAI's `bpe_simple_vocab_16e6.txt.gz`, or a folder with Hugging Face's `vocab.json` and `merges.txt` or `tokenizer.json`."""
    if path.is_file():
        text = gzip.decompress(path.read_bytes()).decode()
        return of_merges(_pairs(text.split("\n")[1 : _MERGES + 1]))
    if (path / "merges.txt").is_file():
        vocabulary = json.loads((path / "vocab.json").read_text(encoding="utf-8"))
        lines = (path / "merges.txt").read_text(encoding="utf-8").split("\n")
        return _numbered(vocabulary, _pairs(line for line in lines if not line.startswith("#version")))
    whole = json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
    model = whole["model"]
    if model.get("type") != "BPE" or model.get("end_of_word_suffix") != _WORD_END:
        raise ValueError(f"{path}: expected CLIP's byte pairs, which end words with {_WORD_END}, or unigram pieces, got another tokenizer, as Gemma's is, which SigLIP 2 has; it has no place in a bundle yet")
    vocabulary = model["vocab"] | {token["content"]: token["id"] for token in whole["added_tokens"]}
    return _numbered(vocabulary, [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]])


def _pairs(lines) -> list[tuple[str, str]]:
    return [tuple(line.split(" ")) for line in lines if line]


def _numbered(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> BytePairs:
    pieces = sorted(vocabulary, key=vocabulary.get)
    if [vocabulary[p] for p in pieces] != list(range(len(pieces))):
        raise ValueError("the vocabulary's ids are not 0 and up without a gap")
    return BytePairs(pieces, merges)


def train(texts: list[str], merges: int) -> BytePairs:
    """A small tokenizer of the same kind, for models that have learned nothing. Of pairs that are as frequent the first by name is merged."""
    letter = dict(zip([*range(ord("!"), ord("~") + 1)], letters()))
    counts = Counter(word for text in texts for word in text.lower().split() if word.isascii())
    words = {word: [letter[b] for b in word[:-1].encode()] + [letter[ord(word[-1])] + _WORD_END] for word in counts}
    made = []
    while len(made) < merges:
        pairs = Counter()
        for word, parts in words.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += counts[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        made.append(best)
        words = {word: _merged(parts, best) for word, parts in words.items()}
    return of_merges(made)


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    made = []
    for part in parts:
        if made and (made[-1], part) == pair:
            made[-1] += part
        else:
            made.append(part)
    return made


def encoder(pairs: BytePairs):
    """A function from a text to its ids without their frame, as Hugging Face's tokenizer for CLIP cuts it."""
    tokenizer = Tokenizer(BPE({piece: i for i, piece in enumerate(pairs.pieces)}, pairs.merges, end_of_word_suffix=_WORD_END))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(words, "removed", invert=True), ByteLevel(add_prefix_space=False, use_regex=False)])
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids
