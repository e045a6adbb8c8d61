"""The configuration of a study outside Snakemake: the same files, merged, checked and filled in the same way."""

import functools
import os
import re
from collections.abc import Mapping
from operator import getitem
from pathlib import Path

from ..errors import InputError
from .schema_words import in_words, kind_of

ROOT = next(folder for folder in Path(__file__).parents if (folder / "Snakefile").is_file())  # the checkout
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"


def read_config(*files: Path) -> dict:
    """Read config.yaml of this checkout, merge the given study files over it, and check the result.

    Dictionaries merge, lists replace; defaults come from the schema. An InputError names the key that is wrong.
    """
    config: dict = {}
    for path in [ROOT / "config.yaml", *map(Path, files)]:
        if not path.is_file():
            wrong = "is a folder" if path.is_dir() else "does not exist"
            raise InputError(f"{path} {wrong}; give a study file, such as workflow/studies/demo.yaml")
        merge(config, read_yaml(path))
    fill_in(config)
    find_shipped_weights(config, ROOT)
    find_results(config)
    return config


def read_yaml(path: Path) -> dict:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else kind_of(content)
        raise InputError(f"{path}: expected keys with values, found {found}")
    return content


def merge(config: dict, changes: Mapping) -> None:
    """Merge `changes` into `config`: dictionaries key by key, everything else whole."""
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(config.get(key), dict):
            merge(config[key], value)
        else:
            config[key] = value


def type_nested(config: dict, given: Mapping) -> None:
    """Give numbers, truth values and null within dictionaries of --config their types: Snakemake reads them as text.

    `given` is what --config says; keys that are not of this configuration (a module has its own) are left alone. What
    the schema wants as a text stays one, as a label `1` or a class `no`.
    """
    changes = {key: typed(value) for key, value in given.items() if isinstance(value, dict) and key in config}
    if not changes:
        return
    merge(config, changes)
    for *keys, last in sorted(refused_places(config), key=len):
        try:
            text, place = functools.reduce(getitem, [*keys, last], given), functools.reduce(getitem, keys, config)
        except (KeyError, IndexError, TypeError):  # not of --config
            continue
        if isinstance(text, str):
            place[last] = text


def refused_places(config: dict) -> set[tuple]:
    """Where the schema refuses a value: its keys, from the top."""
    from jsonschema import Draft202012Validator

    found, errors = set(), [*Draft202012Validator(read_yaml(SCHEMA)).iter_errors(config)]
    while errors:
        error = errors.pop()
        errors += error.context
        found.add(tuple(error.absolute_path))
    return found - {()}


def typed(value):
    import yaml

    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [typed(each) for each in value]
    try:
        found = yaml.safe_load(value) if isinstance(value, str) else value
    except (yaml.YAMLError, ValueError):  # a text that is no YAML, or that looks like a date and is none
        return value
    return found if isinstance(found, bool | int | float | None) else value


def merge_over_published(config: dict) -> None:
    """Complete `config` in place with what config.yaml of this checkout says and it does not."""
    published = read_yaml(ROOT / "config.yaml")
    merge(published, config)
    config.update(published)


def fill_in(config: dict) -> None:
    """Check a configuration against the schema and fill in the schema's defaults."""
    from jsonschema import Draft202012Validator, validators

    check_properties = Draft202012Validator.VALIDATORS["properties"]

    def set_defaults(validator, properties, instance, schema):
        if isinstance(instance, dict):
            for key, described in properties.items():
                if "default" in described:
                    instance.setdefault(key, described["default"])
        yield from check_properties(validator, properties, instance, schema)

    validator = validators.extend(Draft202012Validator, {"properties": set_defaults})(read_yaml(SCHEMA))
    for error in validator.iter_errors(config):
        raise InputError(f"configuration, {'.'.join(map(str, error.absolute_path)) or 'top level'}: {in_words(error)}")


@functools.cache
def recipe_schema() -> dict:
    """What the schema says of a recipe."""
    return read_yaml(SCHEMA)["$defs"]["recipe"]


def wrong_in_recipe(key: str, value) -> str:
    """What the schema has against a value of a recipe, by its dotted key; "" where it has nothing."""
    from jsonschema import Draft202012Validator

    described = recipe_schema()
    for part in key.split("."):
        described = described["properties"][part]
    return "; ".join(in_words(error) for error in Draft202012Validator(described).iter_errors(value))


def find_results(config: dict) -> None:
    """Give `results` as the path that it names: ~ and ${NAME} replaced, without ./ and // and a last /.

    Raises InputError for what is no folder, and for characters that Snakemake reads as something else.
    """
    given = config["results"]
    path = os.path.expanduser(os.path.expandvars(given))
    if unset := re.search(r"^~[^/]*|\$\w+|\$\{[^}]*\}", path):
        raise InputError(f"results: {given}: {unset[0]} is not known here; set it, or write the path in full")
    if wrong := re.search(r"[{}<>*?\[\]\n]", path):
        raise InputError(f"results: {given}: {wrong[0]!r} has a special meaning in paths; rename that folder")
    path = os.path.normpath(path)
    if os.path.islink(path) and not os.path.exists(path):
        raise InputError(f"results: {path} is a link to {os.readlink(path)}, which does not exist; make that folder")
    if os.path.exists(path) and not os.path.isdir(path):
        raise InputError(f"results: {path} is not a folder; give another, or move that file away")
    config["results"] = path


def find_shipped_weights(config: dict, root: Path) -> None:
    """Weights that come with this repository are found from any working directory."""
    for entry in config["autoencoders"].values():
        shipped = root / (entry.get("source") or "?")
        if shipped.is_dir():
            entry["source"] = str(shipped)
