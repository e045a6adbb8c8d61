"""Classifiers of images on reconstructions, and of reconstructions on images."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.storage.contracts import write_csv
    from learnability.training.across import score_across
    from learnability.training.fold_data import Inputs

    params, files = snakemake.params, dict(snakemake.input.items())
    images = {key: path for key, path in files.items() if key != "autoencoder"} | {"array": files["images"]}
    frame = score_across(
        cell=params.cell,
        n_splits=params.n_splits,
        runs={space: Path(files[f"model_{space}"]).parent for space in ("image", "reconstruction")},
        inputs={"image": Inputs.of_job(images), "reconstruction": Inputs.of_job(files)},
        device=choose_device(params.torch_threads),
    )
    write_csv(frame, snakemake.output[0])
