"""Why the schema of the configuration refuses a value, in words: what is wrong, and what to write."""

import re
from difflib import get_close_matches

KINDS = {
    "object": "keys with values",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
NAME = "^[a-z][a-z0-9_]*$"  # the pattern of names


def in_words(error) -> str:
    """A ValidationError of jsonschema as a sentence; what needs no other words keeps its own."""
    value, wanted = error.instance, error.validator_value
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return (
            f"{value!r} is {kind_of(value)}; expected {' or '.join(KINDS[kind] for kind in kinds)}{hint(value, kinds)}"
        )
    if error.validator == "pattern" and wanted == NAME:
        other = re.sub(r"[^a-z0-9_]+", "_", value.lower()).lstrip("_0123456789")
        advice = f": write {other}, and {value!r} as its `label`" if other else ""
        return f"the name {value!r}; expected small letters, digits and _, a letter first{advice}"
    if error.validator == "pattern":
        return f"{value!r} is not of the form that is expected, {wanted}"
    if error.validator == "additionalProperties" and isinstance(value, dict):
        known = [*error.schema.get("properties", {})]
        unknown = [key for key in value if key not in known]
        near = get_close_matches(str(unknown[0]), known, 1) if unknown else []
        advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
        return f"no such key: {unknown[0]!r}; {advice}" if unknown else error.message
    if error.validator == "required":
        missing = [key for key in wanted if key not in value]
        return f"{missing[0]!r} is missing; write it (docs/configuration.md says what it is)"
    if error.validator == "not":  # of a key that goes with other values beside it, or of a name that is taken
        return f"{value!r} cannot be here: it is read with other values beside it only, or has a meaning of its own"
    if error.validator in ("oneOf", "anyOf"):
        return in_words_of_choices(error)
    return f"{error.message}{hint(value, [])}"


def kind_of(value) -> str:
    """A value of YAML by what it is."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return KINDS[kinds.get(type(value), "null")]


def hint(value, kinds: list[str]) -> str:
    """Where a text was meant as a number, how YAML reads one."""
    if not isinstance(value, str) or not {"number", "integer"} & {*kinds}:
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    mantissa, mark, exponent = value.lower().partition("e")
    if not mark:
        return f": write {value} without quotes"
    written = (
        f"{mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent if exponent[:1] in '+-' else f'+{exponent}'}"
    )
    return f": in YAML a number with an exponent needs a point and a sign, write {written}" if number == number else ""


def in_words_of_choices(error) -> str:
    """Why each of several allowed forms does not fit."""
    required = [option["required"] for option in error.validator_value if {*option} == {"required"}]
    if len(required) == len(error.validator_value):
        names = " or ".join(" and ".join(keys) for keys in required)
        there = [keys for keys in required if all(key in error.instance for key in keys)]
        return f"{'both of' if there else 'neither of'} {names} here; expected one of them"
    found = dict.fromkeys(in_words(each) for each in error.context or ())
    return "; or ".join(found) or error.message
