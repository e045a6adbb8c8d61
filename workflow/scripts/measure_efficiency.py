"""Measure one row of Table 3: scores, samples per second and peak memory of one trained classifier."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.autoencoders.weights import finetuned
    from learnability.decoded_rows import decoder
    from learnability.efficiency import measure_efficiency
    from learnability.study import resolve_autoencoder

    device, decode = choose_device(snakemake.params.torch_threads), None
    if snakemake.params.recipe["reconstructions"] == "on_the_fly":
        entry = resolve_autoencoder(snakemake.config, snakemake.wildcards.autoencoder)
        if weights := snakemake.input.get("weights"):  # fetched or fine-tuned by the workflow
            folder = Path(weights).parent
            entry = finetuned(entry, folder) if "finetune" in entry else entry | {"folder": str(folder)}
        decode = decoder(entry, device, snakemake.params.classifier_size)
    measure_efficiency(
        row=snakemake.wildcards.row,
        run=Path(snakemake.input.metrics).parent,
        recipe=snakemake.params.recipe,
        n_splits=snakemake.params.n_splits,
        array=Path(snakemake.input.array),
        dataset=Path(snakemake.input.samples).parent,
        folds=Path(snakemake.input.folds),
        decode=decode,
        batch_sizes=snakemake.params.batch_sizes,
        repeats=snakemake.params.repeats,
        device=device,
        out=Path(snakemake.output[0]),
    )
