"""The gap on frequent, middle and rare classes."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.frequency import gap_by_frequency
    from learnability.significance.predictions import read_answers
    from learnability.storage.contracts import read_json
    from learnability.tables.formats import write_table
    from learnability.tables.gap_by_frequency import render_gap_by_frequency
    from learnability.tables.labels import labels_of

    params = snakemake.params
    cards = {card["dataset"]: card for card in map(read_json, snakemake.input.cards)}
    runs, images = read_answers(snakemake.input)
    table = gap_by_frequency(runs, images, cards, params.recipes, params.decomposed, params.controls)
    text = render_gap_by_frequency(table, labels_of(params.labels, cards.values()), params.footnotes)
    write_table(table, text, snakemake.output)
