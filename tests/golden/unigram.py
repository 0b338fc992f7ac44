"""What SentencePiece makes of a thousand strings that open_clip made canonical: `python unigram.py` writes `unigram.json` beside itself.

Needs sentencepiece 0.2.3, protobuf 7.36.2, numpy 2.4.6, open_clip_torch 3.3.0 (without its dependencies), ftfy 6.3.1 and regex 2026.11.19; torch is not
needed for ids, so an empty module stands in for it. The vocabulary is the small one of `tests/data/clip/siglip`.

Texts are those of `tokens.json`, what people type, and every 40th character of Unicode between two letters, since the map of characters is the
vocabulary's.
"""

import json
import sys
import types
from pathlib import Path

_HERE = Path(__file__).parent.absolute()
# The packages beside this file have names of their own.
sys.path.remove(str(_HERE))
sys.path.append(str(_HERE.parents[1] / "models"))
sys.modules["torch"] = types.ModuleType("torch")
sys.modules["torch"].Tensor = sys.modules["torch"].LongTensor = None
package = types.ModuleType("open_clip")
package.__path__ = [str(Path(p) / "open_clip") for p in sys.path if (Path(p) / "open_clip").is_dir()]
sys.modules["open_clip"] = package

from open_clip.tokenizer import canonicalize_text  # noqa: E402
from recipe import tensors  # noqa: E402
from recipe.clip.unigram import Unigram  # noqa: E402

_TYPED = [
    "A photo of a cat.", "it’s a dog", "the dog's bowl", "they’ve 2 cars & 10 bikes!!!", "rock 'n' roll", "a red double-decker bus", "coffee in a cup, on a table", "10,000 km/h",
    "snake_case_word", "__init__", "№5 ²³ Ⅷ ⑦", "ＦＵＬＬ　ｗｉｄｔｈ", "ﬁnal ﬂight", "naïve café e\u0301", "ΟΔΥΣΣΕΥΣ", "İstanbul", "straße", "日本語の猫", "नमस्ते दुनिया", "한국어 고양이", "😀🐱 cats", "👩‍🚀",
    "  many   spaces\tand\nlines  ", "x" * 300, "</s>", "<unk> cat", "\u2581cat", "cat\u2581\u2581dog", "\u2581", "half～wide", "a\u200bb", "\u200b", "a\u00adb", "\u1100\u1161\u11a8",
]  # fmt: skip


def texts() -> list[str]:
    found = [case["text"] for case in json.loads((_HERE / "tokens.json").read_text())] + _TYPED
    characters = [chr(c) for c in range(0x80, 0x2FFFF) if not 0xD800 <= c < 0xE000]
    found += ["".join(f"a{c}b " for c in characters[at : at + 4000 : 40]) for at in range(0, len(characters), 4000)]
    found += (_HERE.parents[1] / "models/default/classes.txt").read_text().splitlines()[::20]
    return list(dict.fromkeys(found))


def main() -> None:
    folder = _HERE.parent / "data/clip/siglip"
    stored = tensors.deserialize((folder / "unigram.safetensors").read_bytes())
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    reference = Unigram(pieces, stored["scores"], stored["characters"].tobytes()).reference()
    lines = [json.dumps({"text": text, "ids": reference.encode(canonicalize_text(text))}, separators=(",", ":")) for text in texts()]
    Path(__file__).with_suffix(".json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} strings")


main()
