"""How the diagnostics of encodings go with the gap, over autoencoders and over cells."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.significance.diagnostics import read_diagnostics
    from learnability.significance.diagnostics_vs_gap import diagnostics_vs_gap, gaps_of
    from learnability.storage.contracts import read_csv, read_json, write_csv

    files = snakemake.input
    diagnostics = read_diagnostics(files.diagnostics, [read_json(path) for path in files.encodings])
    groups = read_csv(files.gaps, keep_default_na=False, dtype=str)
    decomposed = [read_csv(path, keep_default_na=False, dtype=str) for path in files.decomposition]
    write_csv(diagnostics_vs_gap(diagnostics, gaps_of(groups, *decomposed)), snakemake.output[0])
