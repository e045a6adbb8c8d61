"""Which images a mean of PSNR is over: those that lost something. An image that came back identical has infinity.

Without a mean over the others one blank image would make an autoencoder lossless.
"""

import numpy as np
import pandas as pd

ENCODING = ["dataset", "autoencoder", "role"]


def lossy(psnr: pd.Series) -> pd.Series:
    """The finite values of a column of PSNR (dB); all of them where no image lost anything: their mean is infinite."""
    finite = psnr[np.isfinite(psnr)]
    return finite if len(finite) else psnr


def psnr_of_encodings(images: pd.DataFrame) -> pd.DataFrame:
    """dataset, autoencoder, role and mean psnr (dB) of every encoding, of `images` as `read_encodings` gives them."""
    kept = [lossy(psnr) for _, psnr in images.groupby(ENCODING, sort=False)["psnr"]]
    rows = images.loc[pd.concat(kept).index] if kept else images
    return rows.groupby(ENCODING, sort=False)["psnr"].mean().reset_index()
