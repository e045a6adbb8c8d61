"""Images of a new study in class folders: their entry, as far as the folders show it."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..datasets.formats.folder_tree import SHOWN, SPLITS, Tree
from ..datasets.formats.folders import ABOUT, find_masks
from ..errors import InputError

# Words for a patient in file names, followed by a number.
IN_NAMES = r"(?i:patient|person|subject|subj|case|lesion|pat|sub)[ _-]?[0-9]+"
IN_FOLDERS = "([^/]+)/[^/]+$"
# Names of folders for parts of a data set, beyond SPLITS, which need no key.
PARTS = (
    r"(?i)(train(ing)?|val(id(ation)?)?|test(ing)?|dev|part|split|fold|batch|site|cent(er|re)|hospital)"
    r"([ _-]?[0-9]+|[ _-][a-z])?"
)


@dataclass
class Found:
    """An entry of `datasets` as far as it is known, and comments for its reader, by key."""

    entry: dict
    comments: dict[str, str] = field(default_factory=dict)


def describe_folder(folder: Path, group: str | None) -> Found:
    """The entry of a folder of class folders; `group` is a regular expression for the patient, or None."""
    tree, tops = unwrap(folder)
    found = Found({"format": "folders", "root": str(tree.root.resolve())})
    classes = find_classes(tree, of_pictures(tops), found)
    images, exclude = without_masks({top: tree.images_of_class(top, subfolders=True) for top in of_pictures(classes)})
    if exclude := list(dict.fromkeys([*map(last, about([*tops, *classes])), *exclude])):
        found.entry["exclude"] = exclude
        found.comments["exclude"] = "these seem to be masks of images"
        if len({last(top) for top in images}) == 1:
            raise InputError(
                f"{tree.root}: beside {exclude}, which seem to be of masks, the only folder of a class is "
                f"{next(iter(images))!r}; expected a folder per class: put the images into such, or use a table"
            )
    below = [path[len(top) + 1 :] for top, paths in images.items() for path in paths]
    if any("/" in path for path in below):
        found.entry["subfolders"] = True
        found.comments["subfolders"] = "folders within the classes hold images"
    paths = [path for each in images.values() for path in each]
    if pattern := group or pattern_of_groups(paths, below):
        found.entry["group_pattern"] = pattern
        if not group:
            found.comments["group_pattern"] = "seems to find the patient: see whether it does"
    return found


def find_classes(tree: Tree, tops: list[str], found: Found) -> list[str]:
    """The class folders: `tops`, or the folders in them if `tops` are parts; then also puts `splits` into the entry.

    InputError if all tops hold the same folders but their names do not suggest parts: either may be the classes.
    """
    inner = {top: tree.look_into(top)[0] for top in tops}
    below = [path for paths in inner.values() for path in paths]
    if tops and all(top.casefold() in SPLITS for top in tops):
        return below
    names = [set(map(last, of_pictures(paths))) for paths in inner.values()]
    if len(tops) < 2 or len(names[0]) < 2 or any(each != names[0] for each in names):
        return tops
    if not all(re.fullmatch(PARTS, top) for top in tops):
        raise InputError(
            f"{tree.root}: {tops[:SHOWN]} each hold the same folders, {sorted(names[0])[:SHOWN]}; which are the "
            "classes? Write the entry by hand (docs/datasets.md, a folder per class): `subfolders: true` where the "
            "first are, `splits` with the first where the second are"
        )
    found.entry["splits"] = tops
    found.comments["splits"] = "each holds the same folders: taken for parts, not for classes"
    return below


def last(path: str) -> str:
    return path.rpartition("/")[2]


def about(folders: list[str]) -> list[str]:
    """Those folders whose names suggest that they hold masks or the like."""
    return [path for path in folders if re.fullmatch(ABOUT, last(path), re.IGNORECASE)]


def of_pictures(folders: list[str]) -> list[str]:
    """The other folders, whose names do not suggest that."""
    return [path for path in folders if path not in about([path])]


def unwrap(folder: Path) -> tuple[Tree, list[str]]:
    """Skip outer folders that hold a single folder of folders and otherwise only masks; return tree and folders."""
    while True:
        tree = Tree(folder, ["*"], [])
        tops, images = tree.look_into("")
        inner = of_pictures(tops)
        if len(inner) != 1 or images or not of_pictures(tree.look_into(inner[0])[0]):
            return tree, tops
        folder = folder / inner[0]


def without_masks(images: dict[str, list[str]]) -> tuple[dict[str, list[str]], list[str]]:
    """Images by class folder without apparent masks, and the patterns that exclude these."""
    exclude = []
    while (masks := find_masks(images))[0]:
        exclude.append(masks[1])
        left_out = set(masks[0])
        images = {top: [path for path in paths if path not in left_out] for top, paths in images.items()}
    return images, exclude


def pattern_of_groups(paths: list[str], below: list[str]) -> str | None:
    """A pattern that finds a patient in each path, with some paths of the same patient; None if names show none.

    `below` are the paths within their classes; if each lies in a folder there, that folder is the patient's.
    """
    for pattern in (IN_NAMES, IN_FOLDERS):
        found = [re.search(pattern, text) for text in below]
        if not all(found) or (pattern == IN_FOLDERS and any(text.count("/") != 1 for text in below)):
            continue
        groups = [match[match.re.groups] for match in found]
        # The study searches the whole path, in which a class name may match first: Case 1/patient7.png.
        alike = pattern == IN_FOLDERS or groups == [re.search(pattern, path)[0] for path in paths]
        if alike and 1 < len(set(groups)) < len(paths):
            return pattern
    return None
