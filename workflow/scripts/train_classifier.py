"""Train one classifier on one fold of one space."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.classifiers.weights import pretrained_file
    from learnability.study import pretrained_weights
    from learnability.training import train_classifier

    pretrained = None
    if start := pretrained_weights(snakemake.config, snakemake.params.recipe):
        pretrained = pretrained_file(start, fetched=snakemake.input.get("weights"))
    card = snakemake.input.get("autoencoder")
    train_classifier(
        cell={key: snakemake.wildcards[key] for key in ("dataset", "autoencoder", "space", "recipe")}
        | {"fold": int(snakemake.wildcards.fold)},
        recipe=snakemake.params.recipe,
        seed=snakemake.params.seed,
        n_splits=snakemake.params.n_splits,
        code=snakemake.params.code,
        array=Path(snakemake.input.array),
        dataset=Path(snakemake.input.samples).parent,
        autoencoder_card=Path(card) if card else None,
        folds=Path(snakemake.input.folds),
        folder=Path(snakemake.output.predictions).parent,
        device=choose_device(snakemake.params.torch_threads),
        pretrained=pretrained,
    )
