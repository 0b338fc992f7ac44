"""`python -m recipe clip`: from a checkpoint to a draft that `ocellus bundle pack` makes a bundle of."""

from pathlib import Path

from PIL import Image

from .. import pictures
from . import bpe, checkpoint, draft, layout, prefix, unigram
from .pixels import Pixels
from .tokens import Tokens

_REPOSITORY = Path(__file__).parents[3]
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def add(verbs) -> None:
    verb = verbs.add_parser("clip", help="make the draft of a bundle from a CLIP-family checkpoint")
    verb.add_argument("--checkpoint", type=Path, required=True, help="state dict: .safetensors, or .pt / .bin of PyTorch")
    verb.add_argument("--tokenizer", type=Path, required=True, help="bpe_simple_vocab_16e6.txt.gz or spiece.model, or a folder with vocab.json and merges.txt, spiece.model or tokenizer.json")
    verb.add_argument("--name", required=True, help="the bundle's name: a-z, 0-9, hyphens")
    verb.add_argument("--license", required=True, help="SPDX expression of the weights' licence")
    verb.add_argument("--provenance", required=True, help="where the checkpoint is from")
    verb.add_argument("--resolutions", type=_numbers, required=True, help="rising, such as 224,256,336; multiples of the patch, or of 32")
    verb.add_argument(
        "--activation", choices=layout.ACTIVATIONS, required=True, help="quick-gelu for OpenAI's weights, gelu-tanh for SigLIP of Hugging Face; the model's configuration says it"
    )
    verb.add_argument("--image-head-width", type=int, default=64)
    verb.add_argument("--text-head-width", type=int, default=64)
    verb.add_argument("--mean", type=_reals, help="of 0..1, by channel; if left out OpenAI's, or what SigLIP or MobileCLIP has")
    verb.add_argument("--std", type=_reals)
    verb.add_argument("--photos", type=Path, default=_REPOSITORY / "tests/data/photos", help="a folder of pictures to calibrate INT8 on; a hundred like those that will be seen")
    verb.add_argument("--texts", type=Path, default=_REPOSITORY / "models/default/classes.txt", help="things, one a line, to calibrate the text tower on")
    verb.add_argument("--template", action="append", help="a prompt template with {}; may be repeated")
    verb.add_argument("--token-embeddings", action="store_true", help="let the text tower take tokens' embeddings, and write the table beside it; a prefix needs that")
    verb.add_argument("--prefix", type=Path, help="a learnt prefix: a file with the tensor prefix, or CoOp's ctx, [p, width of the text tower]")
    verb.add_argument("--prompt-mix", type=float, default=0.5, help="the share of the prefix in a label's embedding, 0..1")
    verb.add_argument("--min-cosine", type=float, default=0.99, help="how near INT8 must come to the checkpoint in f32")
    verb.add_argument("--out", type=Path, required=True, help="the draft's folder")


def run(arguments) -> None:
    state = layout.named(checkpoint.load(arguments.checkpoint))
    tokens = tokens_of(arguments.tokenizer, len(state["token_embedding.weight"]))
    kind = layout.family(state)
    mean, std = (tuple(255 * v for v in given or own) for given, own in ((arguments.mean, kind.mean), (arguments.std, kind.std)))
    options = layout.Options(arguments.activation, arguments.image_head_width, arguments.text_head_width)
    facts = draft.Facts(
        arguments.name,
        arguments.license,
        arguments.provenance,
        arguments.resolutions,
        Pixels(mean, std, kind.crop_fraction),
        options,
        tuple(arguments.template or draft.TEMPLATES),
        min_cosine=arguments.min_cosine,
    )
    calibration = shown(arguments.photos, arguments.texts, facts.templates)
    made = draft.files(state, tokens, facts, calibration)
    if arguments.token_embeddings or arguments.prefix:
        learnt = prefix.read(arguments.prefix) if arguments.prefix else None
        made = prefix.files(made, state, tokens, facts, calibration.texts, learnt, arguments.prompt_mix)
    draft.write(made, arguments.out)
    if kind.squashes:
        print("note: this model was trained on whole pictures squashed to a square; the bundle takes the centre square unless `--crop squash` is asked for")
    print(f"{arguments.out}: {sum(map(len, made.values()))} bytes; now: ocellus bundle pack {arguments.out} --out BUNDLE")


def tokens_of(path: Path, rows: int) -> Tokens:
    """The tokenizer at `path`, for a token embedding of `rows` rows."""
    return unigram.read(path).cut_to(rows).tokens() if unigram.is_at(path) else bpe.read(path).tokens()


def shown(photos: Path, texts: Path, templates: tuple[str, ...]) -> draft.Shown:
    paths = sorted(path for path in photos.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise ValueError(f"{photos}: expected pictures, got none")
    seen = [pictures.load(path) for path in paths]
    lines = [line for line in texts.read_text(encoding="utf-8").splitlines() if line]
    prompts = [templates[i % len(templates)].replace("{}", line) for i, line in enumerate(lines[:: max(1, len(lines) // 200)])]
    mirrored = [p.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for p in seen] if len(seen) < 100 else []
    return draft.Shown(seen + mirrored, prompts, (_REPOSITORY / "models/default/golden.png").read_bytes())


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(","))
    if list(numbers) != sorted(set(numbers)):
        raise ValueError("resolutions rise")
    return numbers


def _reals(text: str) -> tuple[float, float, float]:
    red, green, blue = (float(part) for part in text.split(","))
    return red, green, blue
