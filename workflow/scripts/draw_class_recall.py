"""Recall of every class in the three spaces, from head to tail."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.class_recall import draw_class_recall, recall_frame
    from learnability.figures.style import save
    from learnability.storage.contracts import read_json, read_predictions, read_run
    from learnability.tables.labels import labels_of

    cards = {card["dataset"]: card for card in map(read_json, snakemake.input.cards)}
    labels = labels_of(snakemake.params.labels, cards.values())
    runs = [read_run(path) for path in snakemake.input.metrics]
    paths = zip(runs, snakemake.input.predictions, strict=True)
    predictions = (read_predictions(path, cards[run["dataset"]]["classes"]) for run, path in paths)
    recall = recall_frame(zip(runs, predictions, strict=True), cards)
    save(draw_class_recall(recall, cards, labels), snakemake.output.svg, snakemake.output.png)
