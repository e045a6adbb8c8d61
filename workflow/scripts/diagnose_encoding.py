"""Numbers about one encoding that need no training: spectra, channels, neighbours, equivariance."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.diagnostics.encoding import diagnose_encoding

    params, entry = snakemake.params, whole(snakemake.params.entry, snakemake.params.unrecorded)
    if weights := snakemake.input.get("weights"):  # fetched or fine-tuned by the workflow
        entry["folder"] = str(Path(weights).parent)
    diagnose_encoding(
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        encoding=Path(snakemake.input.latents).parent,
        number=params.number,
        device=choose_device(params.torch_threads),
        table=Path(snakemake.output.table),
        spectrum=Path(snakemake.output.spectrum),
    )
