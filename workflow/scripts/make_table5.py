"""Table 5: what latents are like, and which of it goes with the gap."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.diagnostics import read_diagnostics
    from learnability.significance.diagnostics_vs_gap import GAP, gaps_of
    from learnability.storage.contracts import read_csv, read_json
    from learnability.tables.formats import write_table
    from learnability.tables.labels import labels_of
    from learnability.tables.table5 import render_table5, table5

    files = snakemake.input
    labels = labels_of(snakemake.params.labels, map(read_json, files.cards))
    table = table5(read_diagnostics(files.diagnostics, [read_json(path) for path in files.encodings]))
    gaps, tests = (read_csv(paths[0], keep_default_na=False, dtype=str) if paths else None
                   for paths in ([*files.gaps], [*files.tests]))  # fmt: skip
    text = render_table5(table, labels, None if gaps is None else gaps_of(gaps).get(GAP), tests)
    write_table(table, text, snakemake.output)
