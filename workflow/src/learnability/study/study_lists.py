"""A study may grow, never shrink: what its lists were when its tables were made, and a refusal of smaller ones."""

from pathlib import Path

from ..errors import InputError
from ..storage.contracts import SCORES, digest
from .cells import cells, cells_of_information, efficiency, scope
from .encodings import diagnosed
from .study_file import SCHEMA, read_study
from .truths import CONTROLS

TABLE5 = "table5"  # of the diagnostics


def study_lists(config: dict) -> dict:
    """The lists that make a study, with their digest: the content of study.json."""
    study = config["study"]
    lists = {key: study[key] for key in ("datasets", "autoencoders", "spaces", "folds")}
    lists |= {"recipes": study["recipes"], "n_splits": study["n_splits"], "scores": SCORES}
    lists |= {"scopes": {table: scope(config, table) for table in study["recipes"]}, "efficiency": efficiency(config)}
    tables = [table for table in study["recipes"] if cells(config, table)]  # the others have no row, and are not made
    tables += [TABLE5] if diagnosed(config) else []
    tables += ["information"] if cells_of_information(config) else []
    return {"schema": SCHEMA, "digest": digest(lists), **lists, "tables": tables}


def refuse_smaller_study(config: dict, results: str) -> None:
    """Refuse a study that would drop rows from tables that exist; growing is fine."""
    path = Path(results) / "study.json"
    if not path.is_file():
        return
    before, now = read_study(results), study_lists(config)
    if not list(Path(results).glob("tables/*.csv")):
        return
    if missing := {"datasets", "autoencoders", "spaces", "folds", "recipes", "scopes", "efficiency"} - before.keys():
        raise InputError(f"{path}: damaged, {sorted(missing)} missing; delete it and run again")
    dropped = dropped_rows(before, now)
    if TABLE5 not in now["tables"] and Path(results, f"tables/{TABLE5}.csv").is_file():
        dropped.append("table5, which study.diagnostics makes,")
    if dropped:
        raise InputError(
            f"{path}: this study is smaller than the one whose tables exist there; without {', '.join(dropped)} "
            "rows would vanish from them. Ask for a part by target (train/<dataset>, any file), or give this study "
            f"its own folder with `--config results=...`, or remove {Path(results) / 'tables'} on purpose"
        )


def dropped_rows(before: dict, now: dict) -> list[str]:
    """What the lists of a study.json had and those of now have not, in words."""
    dropped = [
        f"{key} {value!r}"
        for key in ("datasets", "autoencoders", "spaces", "folds")
        for value in before[key]
        if value not in now[key]
    ]
    dropped += [
        f"recipe {recipe!r} of {table}"
        for table, recipes in before["recipes"].items()
        for recipe in recipes
        if recipe not in now["recipes"].get(table, [])
    ]
    dropped += [
        f"{table} of {name}"
        for table, scopes in before["scopes"].items()
        for kind, names in scopes.items()
        for name in names
        if (name in now[kind] or (table, kind) == (CONTROLS, "autoencoders"))  # which need not be in the study
        and table in now["scopes"]
        and name not in now["scopes"][table][kind]
    ]
    part, kept = before["efficiency"] or {}, now["efficiency"] or {}
    dropped += [f"table3 of {part[key]}" for key in ("dataset", "autoencoder") if part and part[key] != kept.get(key)]
    return dropped
