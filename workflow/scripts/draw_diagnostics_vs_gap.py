"""What latents are like against the gap."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.diagnostics_vs_gap import draw_diagnostics_vs_gap
    from learnability.figures.style import save
    from learnability.significance.diagnostics_vs_gap import GAP, gaps_of
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    table, gaps, tests = (
        read_csv(snakemake.input[name], keep_default_na=False, dtype=str) for name in ("table5", "gaps", "tests")
    )
    figure = draw_diagnostics_vs_gap(table, gaps_of(gaps)[GAP], tests, labels)
    save(figure, snakemake.output.svg, snakemake.output.png)
