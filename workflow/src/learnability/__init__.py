"""Measures the learnability gap of autoencoder latent spaces; the steps are wired together by the Snakefile.

`from learnability import load_classifier` opens a trained classifier; importing the package alone loads no torch.
"""

import importlib


def __getattr__(name: str):
    if name == "load_classifier":
        return importlib.import_module(".classifiers.saved", __name__).load_classifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
