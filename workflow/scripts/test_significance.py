"""All tests over the runs of Table 1."""

from pathlib import Path

from learnability.workflow.jobs import job

with job(snakemake.log[0]):
    from learnability.autoencoders.lossy import psnr_of_encodings
    from learnability.significance import gap as gap_tests
    from learnability.storage.contracts import read_encodings, read_metrics, write_csv

    metrics = read_metrics(snakemake.input.metrics)
    fidelity = psnr_of_encodings(read_encodings(snakemake.input.fidelity, snakemake.input.autoencoders))
    results = {
        "latent_vs_reconstruction": gap_tests.latent_vs_reconstruction(metrics),
        "wilcoxon": gap_tests.wilcoxon(metrics),
        "equivalence": gap_tests.equivalence(metrics, snakemake.params.margin),
        "finetuning": gap_tests.finetuning(metrics, snakemake.params.pairs),
        "fidelity_vs_gap": gap_tests.fidelity_vs_gap(metrics, fidelity),
    }
    for path in snakemake.output:
        write_csv(results[Path(path).stem], path)
