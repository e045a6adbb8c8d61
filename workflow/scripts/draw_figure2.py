"""Figure 2: PSNR against the gap."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.figure2 import draw_figure2
    from learnability.figures.style import save
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.labels import labels_of

    labels = labels_of(snakemake.params.labels, map(read_json, snakemake.input.cards))
    names = ("table2", "gaps", "tests")
    tables = [read_csv(snakemake.input[name], keep_default_na=False) for name in names]
    save(draw_figure2(*tables, labels), snakemake.output.svg, snakemake.output.png)
