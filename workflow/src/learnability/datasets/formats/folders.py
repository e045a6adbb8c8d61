"""A folder per class, the commonest layout of public image sets (docs/datasets.md)."""

import re
import unicodedata
from pathlib import Path

import pandas as pd

from ...errors import InputError
from ...study.words import counted
from ..names import own_groups, strip, unify
from ..source import Source, check_samples
from .files import listing_digest, read_image, resolve_root
from .folder_tree import Tree, find_class_folders, same_text
from .table import check_known

OPENS_AT_ONCE = True  # it lists names and opens no file
# Words for data about a picture: they end a file's name, or name a folder.
ABOUT = r"(?:masks?|seg|segmentations?|annotations?|overlays?|superpixels?|gt|ground_?truth)"


def open_source(entry: dict, threads: int = 1) -> Source:
    """Open the images of all class folders; the config schema documents the keys. Sample ids are paths below root."""
    root = resolve_root(entry["root"])
    tree = Tree(root, entry.get("include", ["*"]), entry.get("exclude", []))
    folders = find_class_folders(tree, entry.get("splits"))
    images = {folder: tree.images_of_class(folder, entry.get("subfolders", False)) for folder in folders}
    tree.check_patterns()
    paths = [path for found in images.values() for path in found]
    check_text(root, [*folders, *paths])
    if "*" not in entry.get("include", []):
        refuse_masks(root, images)
    names, classes = {}, [folder.rpartition("/")[2] for folder in folders]
    classes, stripped = strip(pd.Series(classes, dtype="str"))
    names["stripped"] = {"label_name": stripped} if stripped else {}
    classes, unified = unify(classes, entry.get("classes", []))
    names["unified"] = {"label_name": unified} if unified else {}
    ids = pd.Series(paths, dtype="str")
    labels = classes.repeat([len(found) for found in images.values()]).reset_index(drop=True)
    if entry.get("rare_classes") != "drop":
        refuse_empty(root, classes, labels)
    group = "image:" + ids
    if pattern := entry.get("group_pattern"):
        missing = entry.get("missing_groups", [])
        group, names["missing_groups"] = own_groups(find_groups(root, ids, pattern, missing), ids, missing, str(root))
    samples = pd.DataFrame({"sample_id": ids, "label_name": labels, "group": group})
    check_samples(samples, str(root))
    ordered = entry.get("classes") or sorted(classes.unique())
    check_known(samples, ordered, str(root))
    channels = entry.get("channels", 3)

    def path(i: int) -> Path:
        return root / paths[i]

    return Source(
        samples=samples,
        classes=ordered,
        read=lambda i: read_image(path(i), channels),
        channels=channels,
        provenance={"listing": listing_digest(paths)} | ({"left_out": tree.left_out} if tree.left_out else {}),
        grouped=bool(pattern),
        grouped_by=f"group_pattern {pattern}" if pattern else "no group_pattern given: every image its own group",
        path=path,
        names=names,
    )


def check_text(root: Path, names: list[str]) -> None:
    """Refuse file names that are not valid text, which no table could hold."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(f"{root}: the name {name!r} is not UTF-8; rename this file or folder") from None


def refuse_empty(root: Path, classes: pd.Series, labels: pd.Series) -> None:
    """Refuse a class folder without a readable image: it may be no class, or hold images of another kind."""
    if empty := sorted(set(classes) - set(labels)):
        raise InputError(
            f"{root}: no image in the folder(s) of {empty}, and every folder is a class; put images there, name what "
            "is no class in `exclude`, or set `rare_classes: drop`"
        )


def refuse_masks(root: Path, images: dict[str, list[str]]) -> None:
    """Refuse what seem to be masks, by class folder, because they would count as images of the class."""
    found, pattern = find_masks(images)
    if found:
        raise InputError(
            f"{root}: {counted(len(found), 'file')} named like masks of other images, the first is {found[0]!r}; "
            f'leave them out by `exclude: ["{pattern}"]`, or, if they are images to be classified, set `include: ["*"]`'
        )


def find_masks(images: dict[str, list[str]]) -> tuple[list[str], str]:
    """Paths of what seem to be masks, by class folder, and the pattern of `exclude` for the first of them."""
    found, pattern = [], ""
    for folder, paths in images.items():
        stems = {same_text(path.rpartition(".")[0]) for path in paths}
        for path in paths:
            below = re.search(rf"/({ABOUT})/", path[len(folder) :], re.IGNORECASE)
            beside = re.fullmatch(rf"(.+?)([ _-]{ABOUT})[ _-]?\d*", path.rpartition(".")[0], re.IGNORECASE)
            if below or (beside and same_text(beside[1]) in stems):
                found.append(path)
                pattern = pattern or (below[1] if below else f"*{beside[2]}*")
    return found, pattern


def find_groups(root: Path, ids: pd.Series, pattern: str, missing: list[str]) -> pd.Series:
    """The group of each image: what `pattern` finds in its path, or "" if it finds nothing and `missing` allows ""."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"group_pattern {pattern!r}: {error}; expected a regular expression of Python") from None
    if expression.groups > 1:
        raise InputError(
            f"group_pattern {pattern!r} has {expression.groups} pairs of parentheses; expected one at most, around "
            "what names the patient: write the others as (?:...)"
        )
    found = [expression.search(unicodedata.normalize("NFC", path)) for path in ids]
    group = pd.Series([(match[expression.groups] or "" if match else "").strip() for match in found], dtype="str")
    without = group.index[group == ""]
    if len(without) and (len(without) == len(ids) or "" not in missing):
        advice = 'or set `missing_groups: [""]`, which makes each of these images a group of its own'
        raise InputError(
            f"{root}: group_pattern {pattern!r} finds nothing in {len(without)} of {len(ids)} paths, the first is "
            f"{ids[without[0]]!r}; correct it{f', {advice}' if len(without) < len(ids) else ' or take it out'}"
        )
    return group
