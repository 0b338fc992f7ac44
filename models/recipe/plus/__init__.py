"""The plus bundle: the default's image encoder with MiniLM itself as the text tower, where the default has a table distilled from it.

It is three times the size and is not committed: `cargo xtask models build --bundle plus` makes it, and `cargo xtask models eval` compares both.
"""
