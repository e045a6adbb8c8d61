"""Power of images and latents over spatial frequencies."""

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.figures.spectra import draw_spectra
    from learnability.figures.style import save
    from learnability.significance.diagnostics import read_spectra
    from learnability.storage.contracts import read_json
    from learnability.tables.labels import labels_of

    files = snakemake.input
    labels = labels_of(snakemake.params.labels, map(read_json, files.cards))
    spectra = read_spectra(files.spectra, [read_json(path) for path in files.encodings])
    save(draw_spectra(spectra, labels), snakemake.output.svg, snakemake.output.png)
