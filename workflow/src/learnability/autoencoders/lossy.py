"""Which images count in a mean of PSNR: those that lost something. An image that came back identical has infinity.

If it counted, a single blank image would make an autoencoder look lossless.
"""

import numpy as np
import pandas as pd

ENCODING = ["dataset", "autoencoder", "role"]


def lossy(psnr: pd.Series) -> pd.Series:
    """The finite values of a column of PSNR (dB); if no image lost anything, all of them, with an infinite mean."""
    finite = psnr[np.isfinite(psnr)]
    return finite if len(finite) else psnr


def psnr_of_encodings(images: pd.DataFrame) -> pd.DataFrame:
    """Return dataset, autoencoder, role and mean psnr (dB) of every encoding; `images` is from `read_encodings`."""
    kept = [lossy(psnr) for _, psnr in images.groupby(ENCODING, sort=False)["psnr"]]
    rows = images.loc[pd.concat(kept).index] if kept else images
    return rows.groupby(ENCODING, sort=False)["psnr"].mean().reset_index()
