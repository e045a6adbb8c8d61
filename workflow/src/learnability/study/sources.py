"""What `source` of an entry with weights is, and how it is written down."""

from pathlib import Path

LOCAL = "local weights"  # what cards say for a folder, before its name


def is_folder(source: str) -> bool:
    """Whether a source of weights is a folder of this machine; otherwise it is a hub id, owner/name."""
    return source.startswith((".", "/", "~", "$")) or source.count("/") > 1


def shown_source(source: str) -> str:
    """A source of weights as cards have it: of a folder its name alone, which is the same on every machine."""
    if not is_folder(source) or source.startswith("$"):
        return source
    return f"{LOCAL} {Path(source).name}"
