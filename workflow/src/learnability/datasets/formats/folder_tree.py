"""The contents of a tree of class folders: which folders are classes, which files are images, what is left out."""

import os
import unicodedata
from fnmatch import fnmatchcase
from pathlib import Path

from ...errors import InputError
from ...study.words import counted

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".jp2", ".bmp", ".gif", ".webp", ".pbm", ".pgm",
            ".ppm", ".pnm")  # fmt: skip
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}  # in small letters
NO_DATA = {"__MACOSX"}  # added by archives from a Mac; it holds only hidden files
SHOWN = 5  # names in a message


class Tree:
    """A folder and its patterns. Paths are relative to it, with slashes; `left_out` counts entries by reason."""

    def __init__(self, root: Path, include: list[str], exclude: list[str]):
        self.root, self.include, self.exclude = root, include, exclude
        self.left_out: dict[str, int] = {}
        self.met: set[str] = set()  # patterns of `exclude` that matched something

    def leave_out(self, reason: str, number: int = 1) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + number

    def look_into(self, folder: str) -> tuple[list[str], list[str]]:
        """Sorted paths of the folders and of the images in a folder; follows links and ignores hidden entries."""
        folders, images = [], []
        for entry in sorted(os.scandir(self.root / folder), key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in NO_DATA:
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            if pattern := self.excluded(path):
                self.leave_out(f"exclude: {pattern}")
            elif entry.is_dir():
                folders.append(path)
            elif not entry.name.lower().endswith(SUFFIXES):
                self.leave_out("no suffix of an image")
            elif any(matches(entry.name, pattern) for pattern in self.include):
                images.append(path)
            else:
                self.leave_out("not in `include`")
        return folders, images

    def excluded(self, path: str) -> str | None:
        """The pattern that excludes this entry, if any; a pattern with a slash must match the whole path."""
        name = path.rpartition("/")[2]
        found = [each for each in self.exclude if matches(path if "/" in each else name, each)]
        self.met.update(found)
        return found[0] if found else None

    def check_patterns(self) -> None:
        """Refuse a pattern of `exclude` that matched nothing, because it probably misspells a name."""
        for pattern in self.exclude:
            if pattern not in self.met:
                raise InputError(f"{self.root}: exclude {pattern!r} meets no file or folder; correct it or take it out")

    def images_of_class(self, folder: str, subfolders: bool) -> list[str]:
        """The images of a class; InputError if its folder holds folders that the entry does not mention."""
        folders, images = self.look_into(folder)
        if folders and not subfolders:
            raise InputError(
                f"{self.root / folder} holds {len(folders)} folder(s), the first is {folders[0]!r}, where the images "
                f"of a class {folder.rpartition('/')[2]!r} were expected. If they divide the class (patients, say), "
                "set `subfolders: true`; if they are the classes, name the folders above them in `splits`, or point "
                "`root` at their folder; if they are neither, name them in `exclude`"
            )
        for inner in folders:
            if (self.root / folder).resolve().is_relative_to((self.root / inner).resolve()):
                raise InputError(f"{self.root / inner} is a link to a folder that it lies in; take it out")
            images += self.images_of_class(inner, subfolders)
        return images


def find_class_folders(tree: Tree, splits: list[str] | None) -> list[str]:
    """Every class folder, also below each split, so a class may have several. `splits` None: the usual names."""
    tops, beside = tree.look_into("")
    names = {same_text(name) for name in tops}
    if splits is None:
        known = [name for name in tops if name.casefold() in SPLITS]
        if known and len(known) < len(tops):
            other = next(name for name in tops if name not in known)
            raise InputError(
                f"{tree.root} holds {known[0]!r}, which reads like a part for training or test, beside {other!r}; say "
                f"which is meant: `splits: {known}` (the others then go into `exclude`), or `splits: []` where every "
                "folder is a class"
            )
        splits = known
    elif absent := [name for name in splits if same_text(name) not in names]:
        raise InputError(f"{tree.root}: splits {absent} are no folders there; there are {tops[:SHOWN]}")
    elif splits and (others := [name for name in tops if same_text(name) not in set(map(same_text, splits))]):
        raise InputError(f"{tree.root}: {others[:SHOWN]} beside the `splits`; name them there too, or in `exclude`")
    if not tops:
        what = f"{counted(len(beside), 'image')}, but no folder" if beside else "no folder"
        raise InputError(f"{tree.root} holds {what}; expected a folder per class: correct `root`, or use format table")
    folders = []
    for split in tops if splits else []:
        inner, images = tree.look_into(split)
        if not inner:
            raise InputError(
                f"{tree.root / split} holds {counted(len(images), 'image')} and no folder; expected a folder per "
                "class in each of the parts: set `splits: []` where these folders are the classes"
            )
        folders, beside = folders + inner, beside + images
    if beside:
        tree.leave_out("beside the folders of the classes", len(beside))
    return folders or tops


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches a shell pattern; ignores case and Unicode normal forms."""
    return fnmatchcase(same_text(name), same_text(pattern))


def same_text(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
