"""When a job ends, notes which modules of the package it imported. A test puts this on its Snakemake's path."""

import atexit
import json
import os
import sys
from pathlib import Path


def note_imports() -> None:
    job = getattr(sys.modules["__main__"], "snakemake", None)
    if job is None or "NOTES" not in os.environ:
        return
    modules = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "learnability"]
    params = {key: job.params.get(key) for key in ("code", "cell", "entry", "autoencoder")}
    text = json.dumps({"rule": job.rule, "modules": modules, "recipe": job.params.get("recipe"), **params})
    Path(os.environ["NOTES"], f"{job.rule}.{os.getpid()}.json").write_text(text)


atexit.register(note_imports)
