"""The units in which a generative pipeline sees a latent: z_pipeline = (z_raw - mean) / std (docs/generation.md).

`pipeline` of autoencoder.json: {"mean": [...], "std": [...]}, lists of 1 or C values, or of 4 C for FLUX.2, whose batch
norm works on 2 x 2 positions packed into channels: value 4 c + 2 i + j is that of row i, column j of channel c.
"""

import numpy as np

from ..errors import InputError

IDENTITY = {"mean": [0.0], "std": [1.0]}  # for latents that a pipeline takes as they are stored


def pipeline_units(model) -> dict[str, list[float]]:
    """Units that a diffusers autoencoder states: its batch norm, or scaling_factor, shift_factor and latents_mean.

    diffusers' pipelines compute (z - shift_factor) * scaling_factor, or with latents_mean and latents_std
    (z - latents_mean) * scaling_factor / latents_std. What a model does not state is 0 and 1.
    """
    if hasattr(model, "bn"):
        variance = np.array(model.bn.running_var.tolist()) + model.config.batch_norm_eps
        return {"mean": model.bn.running_mean.tolist(), "std": np.sqrt(variance).tolist()}
    stated = {key: getattr(model.config, key, None) for key in ("shift_factor", "latents_mean", "latents_std")}
    scale = getattr(model.config, "scaling_factor", None) or 1.0
    if stated["latents_mean"] is not None and stated["latents_std"] is not None:
        mean, std = stated["latents_mean"], stated["latents_std"]
    else:
        mean, std = [stated["shift_factor"] or 0.0], [1.0]
    return {"mean": [float(value) for value in mean], "std": [float(value) / scale for value in std]}


def states_units(model) -> bool:
    """Whether a model is a diffusers autoencoder that states such units; without them it may have any scale."""
    stated = (getattr(getattr(model, "config", None), key, None) for key in ("scaling_factor", "latents_std"))
    return hasattr(model, "bn") or any(value is not None for value in stated)


def units_on_grid(pipeline: dict, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std of `pipeline`, float64 (C, a, a), that repeat over a raw latent of C channels; a is 1 or 2."""
    arrays = []
    for key in ("mean", "std"):
        values = np.asarray(pipeline[key], dtype=np.float64)
        if values.shape not in ((1,), (channels,), (4 * channels,)):
            raise InputError(
                f"pipeline.{key} has {values.size} values; a latent of {channels} channels needs 1, {channels} or "
                f"{4 * channels}: take the autoencoder.json of the encoding that the classifier was trained on"
            )
        side = 2 if len(values) == 4 * channels else 1
        arrays.append(np.broadcast_to(values.reshape(-1, side, side), (channels, side, side)))
    mean, std = np.broadcast_arrays(*arrays)
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
        raise InputError("pipeline.mean and pipeline.std must be numbers, and std above 0; encode anew")
    return mean, std
