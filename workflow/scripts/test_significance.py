"""All tests over the runs of Table 1."""

from pathlib import Path

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability import significance
    from learnability.storage.contracts import read_encodings, read_metrics, write_csv

    metrics = read_metrics(snakemake.input.metrics)
    images = read_encodings(snakemake.input.fidelity, snakemake.input.autoencoders)
    fidelity = images.groupby(["dataset", "autoencoder", "role"], sort=False)[["psnr", "ssim"]].mean().reset_index()
    results = {
        "latent_vs_reconstruction": significance.latent_vs_reconstruction(metrics),
        "wilcoxon": significance.wilcoxon(metrics),
        "equivalence": significance.equivalence(metrics, snakemake.params.margin),
        "finetuning": significance.finetuning(metrics, snakemake.params.pairs),
        "fidelity_vs_gap": significance.fidelity_vs_gap(metrics, fidelity),
    }
    for path in snakemake.output:
        write_csv(results[Path(path).stem], path)
