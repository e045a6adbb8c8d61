"""Validation scores over the epochs of Table 1's trainings."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.style import save
    from learnability.figures.training_curves import draw_training_curves, history_frame
    from learnability.storage.contracts import read_csv, read_json, refuse_damaged
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    runs = [read_json(path) for path in snakemake.input.metrics]
    for run, history in zip(runs, snakemake.input.histories, strict=True):
        refuse_damaged(history, run)
    runs = zip(runs, map(read_csv, snakemake.input.histories), strict=True)
    figure = draw_training_curves(history_frame(runs), snakemake.params.reweighting, labels)
    save(figure, snakemake.output.svg, snakemake.output.png)
