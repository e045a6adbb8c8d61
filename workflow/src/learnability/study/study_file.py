"""study.json of a results folder, as it is read; apart from what writes it, which knows the whole configuration."""

from pathlib import Path

from ..errors import InputError
from ..storage.contracts import read_json

SCHEMA = 1  # higher where a key goes or means something else (docs/api.md)


def read_study(folder: str | Path) -> dict:
    """The study.json of a results folder; one of a newer version is refused, because its keys may mean other things."""
    path = Path(folder) / "study.json"
    study = read_json(path)
    if (found := study.get("schema", SCHEMA)) > SCHEMA:
        raise InputError(
            f"{path}: schema {found}, written by a newer version of this project; this one reads up to {SCHEMA}. Take "
            "the newer version, or give this study its own folder with `--config results=...`"
        )
    return study
