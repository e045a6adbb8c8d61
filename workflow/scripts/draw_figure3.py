"""Figure 3: originals, reconstructions and amplified differences."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.figure3 import draw_figure3, read_originals, read_reconstructions
    from learnability.figures.style import save
    from learnability.storage.contracts import read_json
    from learnability.tables.labels import labels_of

    files, params = snakemake.input, snakemake.params
    labels = labels_of(params.labels, map(read_json, files.cards))
    originals = read_originals(files.cards, files.samples, files.folds, files.images, params.folds)
    decoded = read_reconstructions(originals, files.autoencoders, files.reconstructions, files.fidelity)
    save(draw_figure3(originals, decoded, labels), snakemake.output.svg, snakemake.output.png)
