"""What open_clip's tokenizer makes of a thousand strings: `python byte_pairs.py` writes `byte_pairs.json` beside itself.

Needs open_clip_torch 3.3.0 (without its dependencies), ftfy 6.3.1 and regex 2026.11.19; torch is not needed for ids, so an empty module
stands in for it. The vocabulary is the small one of `tests/data/clip`, and with an argument open_clip's own, for a check by hand.

Texts are those of `tokens.json` and some of what people type. Left out is what the reference repairs and the runtime does not: text that was
decoded wrongly, control characters of C1, terminal escapes and HTML entities.
"""

import gzip
import html
import json
import sys
import tempfile
import types
from pathlib import Path

_HERE = Path(__file__).parent
# The packages beside this file have names of their own.
sys.path.remove(str(_HERE.absolute()))
sys.modules["torch"] = types.ModuleType("torch")
sys.modules["torch"].Tensor = sys.modules["torch"].LongTensor = None
package = types.ModuleType("open_clip")
package.__path__ = [str(Path(p) / "open_clip") for p in sys.path if (Path(p) / "open_clip").is_dir()]
sys.modules["open_clip"] = package

import ftfy  # noqa: E402
from open_clip.tokenizer import SimpleTokenizer, default_bpe  # noqa: E402

_TYPED = [
    "A photo of a cat.", "it’s a dog", "the dog's bowl", "they’ve 2 cars & 10 bikes!!!", "I'M LATE", "we'll see, won't we?", "rock 'n' roll", "o'clock 'tis",
    "a red double-decker bus", "coffee in a cup, on a table", "“quotes” and ‘quotes’", "10,000 km/h", "№5 ²³ Ⅷ ⑦", "ＦＵＬＬ　ｗｉｄｔｈ", "ﬁnal ﬂight", "naïve café e\u0301", "ΟΔΥΣΣΕΥΣ",
    "İstanbul", "straße", "日本語の猫", "नमस्ते दुनिया", "สวัสดี", "한국어 고양이", "😀🐱 cats", "👩‍🚀", "  many   spaces\tand\nlines  ", "x" * 300, "supercalifragilisticexpialidocious",
]  # fmt: skip


def texts() -> list[str]:
    found = [case["text"] for case in json.loads((_HERE / "tokens.json").read_text())] + _TYPED
    found += (_HERE.parents[1] / "models/default/classes.txt").read_text().splitlines()[::20]
    return [text for text in dict.fromkeys(found) if _left_alone(text)]


def _left_alone(text: str) -> bool:
    if any(0x80 <= ord(c) <= 0x9F for c in text) or "\x1b" in text or html.unescape(text) != text:
        return False
    return ftfy.fix_encoding(text) == text


def tokenizer(whole: bool) -> SimpleTokenizer:
    if whole:
        return SimpleTokenizer(default_bpe())
    merges = (_HERE.parent / "data/clip/merges.txt").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "merges.txt.gz"
        path.write_bytes(gzip.compress(b"#version\n" + merges.rstrip("\n").encode()))
        return SimpleTokenizer(str(path))


def main() -> None:
    whole = sys.argv[1:]
    reference = tokenizer(bool(whole))
    lines = [json.dumps({"text": text, "ids": reference.encode(text)}, separators=(",", ":")) for text in texts()]
    path = Path(whole[0]) if whole else Path(__file__).with_suffix(".json")
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} strings")
    if whole:
        names = sorted(reference.encoder, key=reference.encoder.get)
        path.with_name("vocab.txt").write_text("\n".join(names) + "\n")
        path.with_name("merges.txt").write_text("\n".join(" ".join(m) for m in reference.bpe_ranks) + "\n")


main()
