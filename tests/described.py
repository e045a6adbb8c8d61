"""Made-up diagnostics of encodings, their files and gaps; each number depends only on the names that it belongs to."""

import zlib
from itertools import product

import numpy as np
import pandas as pd

from learnability.significance.diagnostics import FRAME
from learnability.tables.diagnostic_labels import ELSEWHERE, IN_TABLE5
from learnability.tables.labels import Labels

DATASETS = {"ct_rate": "CT-RATE", "isic2019": "ISIC-2019", "cardium": "Cardium"}
FAMILIES = {"sd14": "SD 1.4", "flux1": "Flux.1", "flux2": "Flux.2", "medvae": "MedVAE", "medvae_ft": "MedVAE-FT"}
CONTROLS = {"unshuffle": "Pixel unshuffle 8", "cipher": "Enciphered pixels"}
LABELS = Labels(DATASETS, FAMILIES | CONTROLS, frozenset({"cardium"}))
NUMBERS = [*IN_TABLE5, *ELSEWHERE, ("srss", "normalised")]


def number_of(*names) -> float:
    return float(np.random.default_rng(zlib.crc32(repr(names).encode())).random())


def role_of(name: str) -> str:
    return "baseline" if name == "original" else "control" if name in CONTROLS else "family"


def factors_of(name: str) -> tuple[int, ...]:
    return (4, 8) if name == "original" else (4,) if name.startswith("medvae") else (8,)


def described(datasets=tuple(DATASETS), names=(*FAMILIES, *CONTROLS, "original"), **planted) -> pd.DataFrame:
    """diagnostics.FRAME; `planted` has the first suspect's value by autoencoder, on every dataset alike."""
    rows = []
    for dataset, name in product(datasets, names):
        for factor, (diagnostic, variant) in product(factors_of(name), NUMBERS):
            value = str(number_of(dataset, name, factor, diagnostic, variant))
            if diagnostic == "srss":
                value = "n/a (needs masks of regions)"
            elif (diagnostic, name.partition("_")[0]) == ("channel_correlation", "medvae"):
                value = "n/a (one channel)"
            elif diagnostic == "sec" and name in planted:
                value = str(planted[name])
            rows.append((dataset, name, role_of(name), factor, diagnostic, variant, value, "0.5"))
    return pd.DataFrame(rows, columns=FRAME)


def gaps(datasets=tuple(DATASETS), names=(*FAMILIES, "cipher")) -> pd.DataFrame:
    """dataset, autoencoder, role and gap: the families' rise by their place, and datasets differ much more."""
    rows = [
        (dataset, name, role_of(name), 0.1 * i + 0.02 * j) for i, dataset in enumerate(datasets)
        for j, name in enumerate(names)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["dataset", "autoencoder", "role", "gap"])


def spectra(datasets=tuple(DATASETS), names=(*FAMILIES, *CONTROLS, "original")) -> pd.DataFrame:
    """Rows of diagnostics.read_spectra of images of 256 px."""
    rows = []
    for dataset, (place, name) in product(datasets, enumerate(names)):
        for factor in factors_of(name):
            side = 256 // factor
            power = np.arange(1, side // 2 + 1) ** (-0.3 * place)
            for k, share in enumerate(power / power.sum(), 1):
                rows.append((dataset, name, role_of(name), factor, k / side, share))
    columns = ["dataset", "autoencoder", "role", "factor", "frequency", "power"]
    return pd.DataFrame(rows, columns=columns)
