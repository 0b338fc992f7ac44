"""`python -m recipe build --out models/default` and `python -m recipe eval --out models/eval`."""

import os

# The same sums in the same order on every run; said before numpy loads its linear algebra.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import argparse  # noqa: E402
from pathlib import Path  # noqa: E402

from . import build, evaluate  # noqa: E402

_MODELS = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="recipe", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("build", help="make the default bundle and the golden test files")
    verb.add_argument("--out", type=Path, default=_MODELS / "default")
    verb.add_argument("--tests", type=Path, default=_MODELS.parent / "tests", help="where the end-to-end tests lie")
    verb = verbs.add_parser("eval", help="measure a bundle on the listed photos")
    verb.add_argument("--bundle", type=Path, default=_MODELS / "default")
    verb.add_argument("--out", type=Path, default=_MODELS / "eval")
    verb.add_argument("--only", choices=["words"], help="make the rows on prompts, few-shot labels and search anew, and keep the others")
    arguments = parser.parse_args()
    if arguments.verb == "build":
        build.build(arguments.out, arguments.tests)
    elif arguments.only == "words":
        evaluate.evaluate_words(arguments.bundle, arguments.out)
    else:
        evaluate.evaluate(arguments.bundle, arguments.out)


main()
