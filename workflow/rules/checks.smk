# Checks and preparations before the first job starts; with SLURM, the cluster is checked too.
import re
import sys
from copy import copy
from pathlib import Path

from learnability.workflow import launch, slurm_preflight, slurm_requests
from learnability.workflow.results_folder import begin_run
from learnability.storage.finished import drop_finished
from snakemake.exceptions import WorkflowError


def take_results():
    """Keep other studies out of the results folder, wherever they run, until this process ends."""
    as_workflow_error(begin_run, Path(config["results"]), workflow.execution_settings.lock)


def check_before_start(jobs):
    """Say in one message what the jobs that will run lack, before the first of them."""
    from learnability.commands.missing import check_python, missing_inputs

    jobs = list(jobs)
    planned = [(job.rule.name, dict(job.wildcards)) for job in jobs]
    missing = as_workflow_error(missing_inputs, config, planned)
    if not workflow.deployment_settings.deployment_method:  # otherwise the jobs have their own Python
        missing += check_python(sys.executable)
    if workflow.executor_plugin.name == "slurm":
        missing += slurm_problems(jobs)
    if missing:
        raise WorkflowError("The study cannot start:\n  - " + "\n  - ".join(missing))


def drop_what_is_redone(jobs):
    """Forget the kept results of runs whose outputs are there: they are asked for anew, not lost."""
    for job in jobs:
        if job.rule.name in ("train_classifier", "train_with_decoder"):
            if all(Path(path).exists() for path in job.output):
                drop_finished(Path(job.output.metrics).parent)


def slurm_problems(jobs):
    """What SLURM has against this run; without anything, the run is marked until its head process ends by itself."""
    if unreachable := slurm_preflight.why_unreachable():
        return [unreachable]
    if living := as_workflow_error(slurm_preflight.check_living_jobs, workflow.workdir_init, config["results"]):
        return living
    requests = {}
    for job in jobs:
        if not job.is_local:
            requests.setdefault(slurm_request(job), []).append(job.rule.name)
    problems, warnings = slurm_requests.check_requests(requests, 1 + workflow.execution_settings.retries)
    settings = workflow.executor_settings
    more = slurm_requests.check_status_queries(settings.status_command, settings.init_seconds_before_status_checks)
    for warning in warnings + more[1]:
        logger.warning(warning)
    if not problems + more[0]:
        slurm_preflight.record_run(workflow.scheduler._executor.run_uuid, config["results"])
    return problems + more[0]


def slurm_request(job):
    """The sbatch command of a job, or of the group it runs in, as the executor will give it; the same for like jobs."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    # A copy, because a group remembers its request, and parts of it may be unknown until its inputs exist.
    job, executor = copy(workflow.dag.get_job_group(job) or job), workflow.scheduler._executor
    account = job.resources.get("slurm_account")
    params = {
        "run_uuid": executor.run_uuid,
        "slurm_logfile": os.devnull,
        "comment_str": "rule_preflight",
        "partition": executor.get_partition_arg(job),
        # The executor asks the accounting about a named account for every job; here the first name is enough.
        "account": f"-A {re.split('[, ]+', str(account))[0]}" if account else next(executor.get_account_arg(job)),
        "workdir": workflow.workdir_init,
    }
    command = get_submit_command(job, params, settings=workflow.executor_settings) + set_gres_string(job)
    return slurm_requests.Request(command, estimated=not all(Path(path).exists() for path in job.input))


def look_at_lock():
    """Refuse to plan beside a running study, and say what is behind a lock that a run through SLURM left."""
    if not workflow.is_main_process:  # the jobs of a running study find a lock too
        return
    folder = Path(workflow.workdir_init)
    if workflow.output_settings.dryrun and launch.is_locked(folder) and (process := launch.other_snakemake(folder)):
        raise WorkflowError(
            f"A study is running in this folder (process {process}): a plan would have its jobs too, as far as they "
            "are not finished. Ask again when it has ended, or look at its own output"
        )
    if note := slurm_preflight.note_on_lock(workflow.workdir_init, config["results"]):
        logger.warning(note)
