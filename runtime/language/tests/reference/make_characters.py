"""Writes characters.txt: what the reference tokenizer makes of every Unicode character between two letters.

    pip install tokenizers==0.23.3
    python make_characters.py

A line is a mode (`uncased`, `cased`), an effect and hexadecimal ranges. Of "a", the character and "b" remain: with
`nothing`, one word "ab"; with `space`, the two words "a" and "b"; with `apart`, three words. Any other character is
part of one word.
"""

from itertools import groupby
from pathlib import Path

from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer


def effect(character: str, normalizer: BertNormalizer) -> str:
    cut = BertPreTokenizer().pre_tokenize_str(normalizer.normalize_str(f"a{character}b"))
    words = [word for word, _ in cut]
    if words == ["ab"]:
        return "nothing"
    if words == ["a", "b"]:
        return "space"
    if len(words) == 3 and words[0] == "a" and words[2] == "b":
        return "apart"
    assert len(words) == 1, (character, words)
    return "part"


def ranges(points: list[int]) -> str:
    runs = groupby(enumerate(points), lambda pair: pair[1] - pair[0])
    ends = [[point for _, point in run] for _, run in runs]
    return " ".join(f"{run[0]:x}" if len(run) == 1 else f"{run[0]:x}-{run[-1]:x}" for run in ends)


def main() -> None:
    lines = []
    for mode, lowercase in [("uncased", True), ("cased", False)]:
        normalizer = BertNormalizer(lowercase=lowercase)
        effects: dict[str, list[int]] = {"nothing": [], "space": [], "apart": []}
        for point in range(0x110000):
            if not 0xD800 <= point < 0xE000:
                effects.setdefault(effect(chr(point), normalizer), []).append(point)
        lines += [f"{mode} {name} {ranges(effects[name])}" for name in ["nothing", "space", "apart"]]
    Path(__file__).with_name("characters.txt").write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
