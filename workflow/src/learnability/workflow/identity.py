"""What decides a result but is no file of the graph: weights with their config.json, and the user's own classes.

Their content is a parameter of the jobs that read them, so an edited file runs these jobs again and a moved folder runs
none. A missing folder counts as it was last found, so that reading results on a machine without the weights requires
no new encoding.
"""

import functools
from contextlib import suppress
from pathlib import Path

from ..autoencoders.families.own_class import source_files
from ..autoencoders.families.weights import card_digests, files_read, missing_weights
from ..autoencoders.interface import other_weights
from ..classifiers.weights import CONFIG, pretrained_file
from ..errors import InputError
from ..registry import is_control
from ..storage.contracts import digest, file_digest, read_json, write_text
from ..study.cells import resolve_autoencoder
from ..study.paths import fetched_file
from ..study.sources import is_folder

KNOWN = Path(".snakemake", "weights")  # what was last found, by source; digests of large files, by their time stamps
SMALL = 1_000_000  # bytes; smaller files are digested at every start


def autoencoder_identity(entry: dict, fetched: Path) -> str | dict[str, str] | None:
    """Identify the weights of an autoencoder's entry; None for controls and for weights that the workflow fine-tunes.

    For a folder of the user's, a digest of all files that are read. For weights in the folder `fetched`, the digests of
    files that were edited after fetching: jobs that read them are then planned, but refused (edited_weights).
    """
    if is_control(entry):
        return None
    if ":" in entry["class"] or is_folder(entry["source"]):
        named = [entry.get(key) for key in ("class", "source", "subfolder", "variant", "options")]
        return last_known(named, lambda: None if missing_weights(entry) else files_read(entry))
    return edited_since_fetch(fetched)


def pretrained_identity(entry: dict | None, fetched: Path) -> str | dict[str, str] | None:
    """As autoencoder_identity, for a `pretrained` entry; None without one."""
    if entry is None:
        return None
    if is_folder(entry["source"]):
        return last_known(["pretrained", entry["source"]], lambda: starting_files(entry))
    return edited_since_fetch(fetched, also=(CONFIG,))


def starting_files(entry: dict) -> dict[str, Path]:
    """The weights of a `pretrained` entry in a folder, and the config.json that says how to normalise images."""
    weights = pretrained_file(entry)
    config = weights.with_name(CONFIG)
    return {"weights": weights} | ({"config": config} if config.is_file() else {})


def last_known(named: list, find) -> str | None:
    """Digest of the files that `find` gives by name; if they are missing, their last known digest, or None."""
    kept = KNOWN / digest(named)
    before = kept.read_text(encoding="utf-8") if kept.is_file() else None
    try:
        files = find()
    except InputError:
        files = None
    if not files:
        return before
    found = digest({name: content_digest(path) for name, path in files.items()})
    if found != before:
        with suppress(OSError):  # a folder without write permission
            write_text(found, kept)
    return found


def edited_since_fetch(folder: Path, also: tuple[str, ...] = ()) -> dict[str, str]:
    """Digests of those files in a folder of fetched weights that differ from source.json.

    Files of the names `also` that source.json does not list were added by hand, and count too.
    """
    record = folder / "source.json"
    if not record.is_file():
        return {}
    written, named = record.stat().st_mtime_ns, read_json(record)["files"]
    edited = {}
    for name, expected in named.items():
        path = folder / name
        # The record is written last, so an older file is as it says.
        if path.is_file() and max(path.stat().st_mtime_ns, path.stat().st_ctime_ns) > written:
            found = content_digest(path)
            edited |= {name: found} if found != expected else {}
    added = [name for name in also if name not in named and (folder / name).is_file()]
    return edited | {name: content_digest(folder / name) for name in added}


@functools.cache  # several jobs read the same weights
def content_digest(path: Path) -> str:
    """SHA-256 of a file; that of a large file is remembered as long as its size and time stamps do not change."""
    facts = path.stat()
    if facts.st_size < SMALL:
        return file_digest(path)
    stamps = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]
    kept = KNOWN / digest([str(path.resolve()), *stamps])
    if kept.is_file() and (before := kept.read_text(encoding="utf-8")):  # a power cut leaves an empty file
        return before
    found = file_digest(path)
    with suppress(OSError):
        write_text(found, kept)
    return found


def check_own_classes(config: dict) -> None:
    """Refuse an own class whose code cannot be found or read, because its digest is part of the graph."""
    for name in [*config["study"]["autoencoders"], *config["study"]["controls"]]:
        entry = resolve_autoencoder(config, name)
        if ":" in entry["class"]:
            try:
                source_files(entry["class"])
            except InputError as error:
                raise InputError(f"autoencoders.{name}: {error}") from None


def edited_weights(config: dict, name: str) -> str | None:
    """Report weights of the hub that changed after they were fetched, or None. No job reads such files."""
    record = Path(config["results"], fetched_file(name))
    edited = edited_since_fetch(record.parent)
    if not edited:
        return None
    section = "autoencoders" if name in config["autoencoders"] else "pretrained"
    return (
        f"{section}.{name}: {', '.join(str(record.parent / file) for file in edited)}: not what was fetched. Remove "
        f"{record} to fetch it again; a version of your own belongs into a folder of yours, which `source` names"
    )


def changed_weights(config: dict, dataset: str, autoencoder: str) -> str | None:
    """Report an encoding made with other weights, or another version of an own class, than there are now.

    None if they are the same. Moved or missing weights need no new encoding: the card's digests say what they were.
    """
    card = Path(config["results"], "encodings", dataset, autoencoder, "autoencoder.json")
    entry = config["autoencoders"].get(autoencoder, {})
    own = ":" in entry.get("class", "")
    if not card.is_file() or not (own or is_folder(entry.get("source", ""))) or missing_weights(entry):
        return None
    difference = other_weights(read_json(card), card_digests(entry))
    if not difference:
        return None
    if own:
        now, back = "its class has now, by its code and its files", "put back the code and files that were used"
    else:
        now, back = "those in its source now", "point `source` to the weights that were used"
    return (
        f"autoencoders.{autoencoder}: {card.parent} was encoded by other weights {difference} than {now}; remove that "
        f"folder to encode anew, or {back}"
    )
