"""Balanced accuracy over the number of training images."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.learning_curves import draw_learning_curves
    from learnability.figures.style import save
    from learnability.significance.chance import chance
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.labels import labels_of

    cards = [read_json(path) for path in snakemake.input.cards]
    guess = {card["dataset"]: chance(len(card["classes"]), "balanced_accuracy") for card in cards}
    table = read_csv(snakemake.input.curves, keep_default_na=False)
    figure = draw_learning_curves(table, guess, labels_of(snakemake.params.labels, cards))
    save(figure, snakemake.output.svg, snakemake.output.png)
