"""`python -m recipe build --out models/default`, `python -m recipe eval --out models/eval`, `python -m recipe clip --help`."""

import os

# The same sums in the same order on every run; said before numpy loads its linear algebra.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import argparse  # noqa: E402
from pathlib import Path  # noqa: E402

from . import build, evaluate  # noqa: E402
from .clip import command, fixtures  # noqa: E402
from .plus import compare  # noqa: E402
from .plus.build import build_plus, plus_directory  # noqa: E402

_MODELS = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="recipe", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("build", help="make a bundle, and with the default one the golden test files")
    verb.add_argument("--bundle", choices=["default", "plus"], default="default")
    verb.add_argument("--out", type=Path, help="the committed place for the default bundle, the cache for the other")
    verb.add_argument("--tests", type=Path, default=_MODELS.parent / "tests", help="where the end-to-end tests lie")
    verb = verbs.add_parser("eval", help="measure a bundle on the listed photos")
    verb.add_argument("--bundle", type=Path, default=_MODELS / "default")
    verb.add_argument("--out", type=Path, default=_MODELS / "eval")
    verb.add_argument("--only", choices=list(evaluate.PARTS), help="make one part of the report anew, and keep the others")
    command.add(verbs)
    verb = verbs.add_parser("clip-fixtures", help="make the small models of random weights that the tests pack")
    verb.add_argument("--out", type=Path, default=_MODELS.parent / "tests/data/clip")
    arguments = parser.parse_args()
    if arguments.verb == "build" and arguments.bundle == "plus":
        build_plus(_MODELS / "default", arguments.out or plus_directory())
    elif arguments.verb == "build":
        build.build(arguments.out or _MODELS / "default", arguments.tests)
    elif arguments.verb == "clip":
        command.run(arguments)
    elif arguments.verb == "clip-fixtures":
        fixtures.write(arguments.out, _MODELS.parent / "tests/data/photos", _MODELS / "default/classes.txt")
    elif arguments.only:
        evaluate.evaluate_part(arguments.bundle, arguments.out, arguments.only)
    else:
        evaluate.evaluate(arguments.bundle, arguments.out)
        _compare(arguments.bundle, arguments.out)


def _compare(default: Path, out: Path) -> None:
    """The default bundle against plus, which is made first where the cache lacks it or has one of another image encoder."""
    plus = plus_directory()
    same = "image.onnx"
    if not (plus / same).is_file() or (plus / same).read_bytes() != (default / same).read_bytes():
        build_plus(default, plus)
    compare.compare(default, plus, out)


main()
