"""Names, labels and keys of a configuration that would break a later step: refused before anything runs."""

from ..errors import InputError
from .truths import TABLE1

# What stands in the columns of tables beside names: of all data sets together, of what does not apply, of all runs.
TAKEN = {"datasets": {"macro", "all"}, "recipes": {TABLE1, "reconstruction"}, "autoencoders": {"original"}}
READ_OTHERWISE = {"nan", "null", "inf", "infinity", "true", "false"}  # by what reads a table: no text
YAML_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}  # which YAML takes for values, not for text
NOT_TO_GIVE = YAML_WORDS.union(READ_OTHERWISE, *TAKEN.values())  # to what `learnability new` names
LABELLED = ("datasets", "autoencoders")
GROUPS = {"table": "group_column", "folders": "group_pattern"}  # by which a format finds the patient
OWN_GROUPS = {"mimic_cxr_lt", "isic2019", "cardium"}  # which have a patient or lesion by themselves


def check_names(config: dict) -> None:
    """Refuse names that tables use or cannot hold, one name of two weights, braces in labels, groups that nobody reads.

    Each message names the key.
    """
    for section, taken in TAKEN.items():
        for name in config[section]:
            if name in taken | READ_OTHERWISE:
                raise InputError(f"{section}.{name}: tables use the name {name!r}, or read it as no text; take another")
    for name in config["autoencoders"]:
        if name in config["pretrained"]:
            raise InputError(f"autoencoders.{name}: pretrained.{name} has this name too; take another for this one")
    texts = {f"{kind}.{name}.label": each["label"] for kind in LABELLED for name, each in config[kind].items()}
    for key, text in texts.items():
        if {*"{}"} & {*text}:
            raise InputError(f"{key} is {text!r}; braces are wildcards to Snakemake: take them out")
    for name, entry in config["datasets"].items():
        check_missing_groups(name, entry)


def check_missing_groups(name: str, entry: dict) -> None:
    """Refuse `missing_groups` if there are no groups."""
    if not entry.get("missing_groups") or entry["format"] in OWN_GROUPS:
        return
    key = GROUPS.get(entry["format"])
    if key is None:
        raise InputError(f"datasets.{name}.missing_groups: format {entry['format']} does not read it; take it out")
    if key not in entry:
        raise InputError(
            f"datasets.{name}.missing_groups says which values of {key} are no patient, and there is no {key}; name "
            "what says which images are of one patient, or take it out"
        )
