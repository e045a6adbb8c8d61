"""Balanced accuracy over the noise level."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from learnability.figures.noise_levels import draw_noise_levels
    from learnability.figures.style import save
    from learnability.storage.contracts import read_curve, read_json
    from learnability.tables.labels import labels_of

    cards = [read_json(path) for path in snakemake.input.cards]
    labels = labels_of(snakemake.params.labels, cards)
    roles = {run["autoencoder"]: run["role"] for run in map(read_json, snakemake.input.metrics)}
    curves = pd.concat([read_curve(path) for path in snakemake.input.curves], ignore_index=True)
    chance = {card["dataset"]: 1 / len(card["classes"]) for card in cards}
    save(draw_noise_levels(curves, roles, chance, labels), snakemake.output.svg, snakemake.output.png)
