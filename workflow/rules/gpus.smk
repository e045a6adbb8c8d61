# The GPUs of this machine, where no scheduler divides them: as many jobs at once as they take, each with a lease of one.
import os


def share_gpus():
    """Limit the jobs that run at once by the cards of this machine, and let each lease one; nothing without a card."""
    from learnability.workflow.gpu_leases import offer_cards, withdraw_cards

    if not workflow.local_exec:
        withdraw_cards(os.environ)
        return
    scheduler = workflow.scheduler
    places = as_workflow_error(offer_cards, os.environ, scheduler.global_resources.get("jobs_per_gpu", 1))
    if places and "gpu" not in scheduler.global_resources:  # the command line or a profile may say less
        scheduler.global_resources["gpu"] = scheduler.resources["gpu"] = places
