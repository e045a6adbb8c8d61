"""Compares what the jobs of a study imported (tests/noting) with what the digests of their code cover."""

import json
from pathlib import Path

from learnability import registry
from learnability.study.recipes import resolve_recipe
from learnability.workflow import provenance


def read_notes(folder: Path) -> list[dict]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())]


def named_modules(note: dict, config: dict) -> list[str]:
    """The modules that the values of a job name (workflow/rules/params.smk)."""
    if note["rule"] == "prepare_dataset":
        return [registry.find("datasets.*.format", note["entry"]["format"])]
    if note["entry"]:
        return [registry.module_of_class(note["entry"])]
    if not note["cell"]:
        return []
    recipe = resolve_recipe(config, note["cell"]["recipe"])
    if not note["recipe"]:  # it applies a classifier and trains none
        return registry.modules_of_network(recipe)
    decoder = [registry.module_of_class(note["autoencoder"])] if note["autoencoder"] else []
    return registry.modules_of_training(recipe) + decoder


def imported_beyond_digest(note: dict, checkout: Path, config: dict) -> set[str]:
    """Modules that a job imported but its digest does not cover; the digest must belong to its rule and values."""
    again = {
        "encode_latents": "encode_dataset",
        "encode_latent_views": "encode_views",
        "decompose_gap_by_share": "decompose_gap",
    }  # rules with another's script
    script = again.get(note["rule"], note["rule"])
    modules = named_modules(note, config)
    assert note["code"] in (None, provenance.code_digest(script, modules)), note["rule"]
    closure = [path for path in provenance.closure(script, modules) if path.is_relative_to(provenance.PACKAGE)]
    source = checkout / "workflow/src/learnability"
    imported = {str(Path(path).relative_to(source)) for path in note["modules"]}
    return imported - {str(path.relative_to(provenance.PACKAGE)) for path in closure} - {"registry.py"}
