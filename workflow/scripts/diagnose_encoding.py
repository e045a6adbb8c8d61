"""Numbers about one encoding that need no training: spectra, channels, neighbours, equivariance."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.classifiers.weights import pretrained_file
    from learnability.diagnostics.encoding import diagnose_encoding

    params = snakemake.params
    entry = whole(params.entry, params.unrecorded, snakemake.input.get("weights"))
    pretrained = whole(params.pretrained, params.unrecorded_pretrained)
    teacher = pretrained and (params.teacher, pretrained_file(pretrained, snakemake.input.get("teacher")))
    diagnose_encoding(
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        encoding=Path(snakemake.input.latents).parent,
        number=params.number,
        device=choose_device(params.torch_threads),
        table=Path(snakemake.output.table),
        spectrum=Path(snakemake.output.spectrum),
        teacher=teacher,
    )
