# The GPUs of a machine without a scheduler: each job leases one, and as many jobs run at once as the GPUs take.
import os


def share_gpus():
    """Limit the jobs that run at once by the cards of this machine, and let each lease one; nothing without a card."""
    from learnability.workflow.gpu_leases import offer_cards, withdraw_cards

    if not workflow.local_exec:
        withdraw_cards(os.environ)
        return
    scheduler = workflow.scheduler
    places = as_workflow_error(offer_cards, os.environ, scheduler.global_resources.get("jobs_per_gpu", 1))
    if places and "gpu" not in scheduler.global_resources:  # the command line or a profile may set fewer
        scheduler.global_resources["gpu"] = scheduler.resources["gpu"] = places
