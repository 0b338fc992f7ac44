"""Golden token ids: a thousand strings and what the reference tokenizer makes of them over the bundle's vocabulary."""

import json
import random

from . import minilm, wordnet
from .words import Table

COUNT = 1000

_EDGES = [
    "", " ", "\t\n\r", "\u00a0\u3000\u2003", "\x00", "\x01\x02\x7f", "\ufffd", "\u200b", "\u200d", "\ufeff", "\u00ad",
    "a", "A", "0", "42", "3.14", "1,000,000", "x" * 100, "x" * 101, "cat " + "y" * 300, "dog" * 40, "7" * 120,
    "Café", "CAFE\u0301", "naïve façade", "ÀÉÎÕÜ", "ångström", "Å", "Ångström", "İstanbul", "ısı", "straße", "STRASSE", "œuvre", "Æsir", "Łódź", "ñandú",
    "\u0301", "e\u0301\u0323", "q\u0307\u0323", "Ζεύς", "ΑΒΓ αβγ ς", "Москва", "ёлка", "Київ", "שלום", "مرحبا", "नमस्ते", "ไทย", "한국어", "가", "ㄱㅏ",
    "日本語", "猫cat犬", "中文 and English", "㐀", "𠀀𪜀", "豈", "ひらがな", "カタカナ", "ｶﾞ", "ﬁre ﬂy", "ＦＵＬＬ ｗｉｄｔｈ １２３", "①②", "x²", "½ cup", "№ 5", "™",
    "😀", "👩‍🚀 astronaut", "🇩🇪 flag", "cat😀dog", "❤️", "🏽",
    "don't", "it’s", "“quoted”", "a-b_c", "hello,world", "(parentheses)", "[MASK]", "[UNK]", "[CLS] cat [SEP]", "##ing", "## ing", "#hashtag", "user@mail", "c++", "$5", "€5", "5%", "^_^", "a|b",
    "…", "—dash—", "¿qué?", "¡hola!", "«guillemets»", "。", "、", "·", "•", "`code`", "~", "\\backslash\\", "/slash/", "a=b", "<tag>", "«»", "‿", "࿐",
    "a\u00a0b", "a\u200bb", "a\u200db", "a\u00adb", "a\u2028b", "a\u2029b", "a\x00b", "a\ufffdb", "a\tb\nc\rd", "a\x0bb\x0cc", "a\x85b", "\u202ecat", "cat\ue000dog", "\U000e0001cat",
    "T-shirt", "U.S.A.", "e.g.", "3D", "4K", "mp3", "co2", "h2o", "RGB888", "0x7F", "2nd", "rock'n'roll",
    "ǅ", "ǆ", "ẞ", "ﬀ", "ʼn", "ΐ", "ᾳ", "K", "Ω", "ℵ", "𝐛𝐨𝐥𝐝", "ᏣᎳᎩ", "ꭰ", "\U00010400", "ა Ა",
]  # fmt: skip
_SCRIPTS = ["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "éèêëüößñçåøæĳǎ", "αβγδεζηθικλμνξοπρστυφχψωάΏ", "абвгдежзийклмнопрстуфхцчшщъыьэюяЁЙ",
            "中文字典猫犬車山川", "あいうえおアイウエオ", "😀🐱🚗🌍👍🏽", "\u0300\u0301\u0308\u0327\u20dd", "\x00\x07\x1b\x7f\x9f", "\u200b\u200c\u200d\u2060\ufeff\u00ad", " \t\n\u00a0\u2009\u3000",
            ".,;:!?-_'\"()[]{}/\\@#$%^&*+=<>|~`", "。、！？「」—…“”‘’«»¿¡", "ＡＢＣａｂｃ１２３！？", "가나다한글ㄱㅏ", "ابتثج", "אבגד", "कखगि", "กขคำ"]  # fmt: skip


def strings() -> list[str]:
    """Edge cases, nouns of WordNet in prompts, and random mixes of scripts; the same on every run."""
    chance = random.Random(20240229)
    nouns = sorted({word for synset in wordnet.nouns().values() for word in synset.words})
    made = list(_EDGES)
    for noun in chance.sample(nouns, 300):
        made.append(chance.choice(["{}", "a photo of a {}", "A {}.", "the {}, on a table", "{} & {}"]).replace("{}", noun))
    for noun in chance.sample(nouns, 150):
        made.append("".join(c for c in noun if c.isalnum()) + chance.choice(["", "s", "2", "42x", "ing"]))
    made = list(dict.fromkeys(made))
    while len(made) < COUNT:
        words = []
        for _ in range(chance.randint(1, 5)):
            letters = chance.choice(_SCRIPTS) if chance.random() < 0.5 else chance.choice(_SCRIPTS[:4])
            if chance.random() < 0.3:
                letters += chance.choice(_SCRIPTS)
            words.append("".join(chance.choices(letters, k=chance.choice([1, 2, 3, 5, 8]))))
        text = chance.choice(["", " ", " "]).join(words)
        if text not in made:
            made.append(text)
    return made


def render(table: Table) -> bytes:
    """`[{"text", "ids"}]`, one a line. Plain words are checked to give the teacher's own pieces."""
    vocabulary = minilm.vocabulary()
    lines = []
    for text in strings():
        ids = table.ids(text)
        plain = text.isascii() and all(word.isalnum() for word in text.split())
        if plain:
            whole = [vocabulary[i] for i in minilm.tokenizer().encode(text, add_special_tokens=False).ids]
            if [table.pieces[i] for i in ids] != [piece for piece in whole if piece != "[UNK]"]:
                raise ValueError(f"{text!r} does not give the teacher's pieces")
        lines.append(json.dumps({"text": text, "ids": ids, "plain": plain}, ensure_ascii=True, separators=(",", ":")))
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()
