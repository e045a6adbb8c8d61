"""docs/configuration.md: a table of every key, from the schema of the configuration and the values of config.yaml."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from learnability.study.configuration import ROOT, SCHEMA, read_yaml

# What the entries of a section are called by, which of them gives values to the rest, and where to read more.
NAMED = {"datasets": "name", "autoencoders": "name", "pretrained": "model", "recipes": "name"}
ROOT_RECIPE = "image"  # every other recipe of config.yaml is built on it
MORE = {
    "datasets": "[datasets.md](datasets.md) has folders, files, pitfalls and an entry for each format.",
    "autoencoders": "[own_autoencoder.md](own_autoencoder.md) is a worked example, and says how to fine-tune.",
    "recipes": "[own_recipe.md](own_recipe.md) says how to make one. If a recipe has a `base`, the base gives "
    "the keys that it leaves out; the last column has the values of `image`, the base of all others in `config.yaml`.",
}
LONGEST = 60  # characters of a value; a longer one is looked up in config.yaml

HEAD = """\
<!-- Written by `make pages` from workflow/schemas/config.schema.yaml: edit
that file instead. -->
# Every key of a study

A study is `config.yaml`, the published study, with the files of `--configfile` merged over it in their order:
dictionaries merge key by key; lists and single values replace. So a study file needs only what differs. A key that is
not listed here is refused before anything runs. Settings of a machine (partition, cores, GPU) are in a profile, not
here.

The last column says what applies if no study file sets the key: a value of `config.yaml`, a default, or that the entry
must set it. `{name}` stands for a name of your choice: lower-case letters, digits and `_`.
"""


@dataclass(frozen=True)
class Key:
    """A key of the configuration; `absent` is what holds without it, in Markdown, or "" where nobody says so."""

    path: str
    kind: str
    description: str
    absent: str


def describe_config() -> str:
    """The page, in Markdown."""
    schema, published = read_yaml(SCHEMA), read_yaml(ROOT / "config.yaml")
    parts = [HEAD, "## Top level\n", table(keys_of(schema, schema["$defs"], published, below=False))]
    for name, section in schema["properties"].items():
        if name in NAMED:
            prefix, values = f"{name}.{{{NAMED[name]}}}.", {}
            section = resolved(section["additionalProperties"], schema["$defs"]) | {"about": section["description"]}
            if name == "recipes":
                values = published["recipes"][ROOT_RECIPE]
        elif "properties" in section:
            prefix, values = f"{name}.", published[name]
        else:
            continue
        about = section.get("about", section.get("description", ""))
        parts += [f"## `{prefix.rstrip('.')}`\n", " ".join(filter(None, [about, MORE.get(name)])) + "\n"]
        parts.append(table(keys_of(section, schema["$defs"], values)))
    return "\n".join(parts)


def all_keys() -> list[Key]:
    """Every key of the schema, at any depth; values of config.yaml are left out."""
    schema = read_yaml(SCHEMA)
    return list(keys_of(schema, schema["$defs"], {}))


def keys_of(node: dict, definitions: dict, values: dict, prefix: str = "", below: bool = True) -> Iterator[Key]:
    """The keys of an object's schema, each before those below it; `values` are those of config.yaml."""
    for name, content in node.get("properties", {}).items():
        content, value = resolved(content, definitions), values.get(name) if values else None
        nested = content.get("properties") or content.get("additionalProperties", {})
        if below or not nested:
            absent = what_without(content, values, name, name in node.get("required", []))
            yield Key(prefix + name, kind_of(content), content.get("description", ""), absent)
        if below:
            inner = value if isinstance(value, dict) else {}
            yield from keys_of(content, definitions, inner, f"{prefix}{name}.")
            if isinstance(content.get("additionalProperties"), dict):
                entry = resolved(content["additionalProperties"], definitions)
                yield from keys_of(entry, definitions, {}, f"{prefix}{name}.{{key}}.")


def resolved(content: dict, definitions: dict) -> dict:
    """A schema with what its $ref names."""
    return definitions[content["$ref"].split("/")[-1]] | content if "$ref" in content else content


def kind_of(content: dict) -> str:
    """What a value may be, in Markdown."""
    if "enum" in content:
        return " or ".join(f"`{shown(choice)}`" for choice in content["enum"])
    if "anyOf" in content:
        return " or ".join(map(kind_of, content["anyOf"]))
    kinds = content.get("type", "object")
    if isinstance(kinds, list):
        return " or ".join(kind_of(content | {"type": kind}) for kind in kinds)
    if kinds == "array":
        return f"list of {kind_of(content['items'])}" if "items" in content else "list"
    limits = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    words = {"string": "text", "object": "keys", "integer": "whole number", "boolean": "`true` or `false`"}
    bounds = [f"{said} {content[key]}" for key, said in limits.items() if key in content and kinds != "null"]
    return ", ".join([words.get(kinds, kinds), *bounds])


def what_without(content: dict, values: dict, name: str, required: bool) -> str:
    """What holds where no study file names the key."""
    if name in values:
        if isinstance(values[name], dict) and content.get("properties"):
            return "see below"
        text = shown(values[name])
        return f"`{text}`" if len(text) <= LONGEST else "see `config.yaml`"
    if "default" in content:
        return f"`{shown(content['default'])}`"
    if (said := content.get("x-absent")) is not None:
        return said if isinstance(said, str) and said not in content.get("enum", []) else f"`{shown(said)}`"
    return "**required**" if required else ""


def shown(value) -> str:
    """A value as YAML writes it on one line."""
    return value if isinstance(value, str) else re.sub('"', "", json.dumps(value, ensure_ascii=False))


def table(keys: Iterator[Key]) -> str:
    """The keys as a pipe table."""
    rows = [[f"`{key.path}`", key.kind, key.description, key.absent] for key in keys]
    lines = [["key", "value", "what it says", "without it"], ["---"] * 4, *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    print(describe_config(), end="")
