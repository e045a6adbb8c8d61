"""The paper's claims judged by this study, and its published numbers beside the measured ones.

Nothing here is written by hand: a verdict follows from tables and tests by the rule for its kind of claim. The rules
are in docs/protocol.md, Claims.
"""
