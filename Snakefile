# The learnability gap of autoencoder latent spaces, as a workflow.
#
# Path grammar of all outputs ({results} is config["results"]):
#   {results}/study.json
#   {results}/datasets/{dataset}/{images.npy,images_small.npy,samples.parquet,dataset.json}
#   {results}/folds/{dataset}.parquet
#   {results}/weights/{name}/source.json              weights from the model hub, and beside it their files
#   {results}/weights/{dataset}/{autoencoder}{of_fold}/        fine-tuned weights, their curves, tuning.json
#   {results}/encodings/{dataset}/{autoencoder}{of_fold}/{latents.npy,channel_sums.npy,reconstructions.npy,fidelity.parquet,autoencoder.json}
#     below them views{copies}/: latents.npy and reconstructions.npy of turned copies, for recipes with `views`
#   {results}/runs/{dataset}/{space}/{autoencoder}/{recipe}/fold{fold}/{predictions.parquet,metrics.json,...}
#     beside them teacher_logits.npy of a run that teaches, noise_curve.parquet of a latent one on request
#   {results}/across_spaces/{dataset}/{autoencoder}/{recipe}/fold{fold}.csv    classifiers of images on reconstructions, and reverse
#   {results}/searches/{dataset}/{autoencoder}{of_space}/{recipe}/fold{fold}/{best.json,journal.log}
#     ({of_space} is @reconstruction of a search on reconstructions, else nothing)
#   {results}/efficiency/{dataset}/{autoencoder}/{row}.csv         speed and memory, a row of Table 3
#   {results}/diagnostics/{dataset}/{autoencoder}{of_fold}.csv, ..._spectrum.csv
#   ({of_fold} is @fold{fold} where an autoencoder is fine-tuned on each fold's training rows, else nothing)
#   {results}/tables/{table}.{csv,md,html,tex}
#   {results}/significance/{test}.{csv,html}
#   {results}/figures/{figure}.{svg,png}
#   {results}/controls.rst                            what the controls say, the first lines of Snakemake's report
#   {results}/summary.html                            one page of all of it
#   {results}/logs/{rule}/...
#   {results}/benchmarks/{rule}/...                               time and memory of every job that costs
import os
import sys

from snakemake.utils import min_version

min_version("9.27")

# Of this file, not of a workflow that uses it as a module.
ROOT = str(workflow.current_basedir)
sys.path.insert(0, os.path.join(ROOT, "workflow", "src"))
from learnability.study.configuration import fill_in, merge_over_published, type_nested


configfile: os.path.join(ROOT, "config.yaml")


merge_over_published(config)  # a module is given a config of its own, and config.yaml is not read
type_nested(config, workflow.config_settings.config or {})


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


as_workflow_error(fill_in, config)


include: "workflow/rules/files.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/params.smk"
include: "workflow/rules/requests.smk"
include: "workflow/rules/checks.smk"
include: "workflow/rules/gpus.smk"
include: "workflow/rules/terminal.smk"


check_configuration()
look_at_lock()
note_command()
show_progress(workflow.logger_manager.plugin_handlers)


pathvars:
    results=config["results"],


wildcard_constraints:
    dataset=one_of(config["datasets"]),
    autoencoder=one_of(["original", *config["autoencoders"]]),
    space="image|latent|reconstruction",
    recipe=one_of(config["recipes"]),
    fold=r"\d+",
    of_fold=one_of(["", *(f"@fold{fold}" for fold in range(config["study"]["n_splits"]))]),
    of_space="|@reconstruction",
    table=r"table\d",


include: "workflow/rules/datasets.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/autoencoders.smk"
include: "workflow/rules/diagnostics.smk"
include: "workflow/rules/classifiers.smk"
include: "workflow/rules/significance.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/explanations.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/targets.smk"


rule all:
    default_target: True
    input:
        files_of_study(),


onstart:
    take_results()
    if not workflow.touch:  # results that are taken over need no data, and none of them is redone
        check_before_start(workflow.dag.needrun_jobs())
        drop_what_is_redone(workflow.dag.needrun_jobs())
        share_gpus()


onsuccess:
    show_table1(workflow.dag.jobs, workflow.logger_manager.plugin_handlers)
