"""Problems of a dataset that its entry, tables, names and some files show before its images are packed."""

from ..datasets.classes import check_labels
from ..datasets.sample import Look, look_at
from ..datasets.source import Source, check_source
from ..errors import InputError


def check_dataset(config: dict, wildcards: dict) -> list[str]:
    """Check that the dataset is there, with readable columns, labels and images, and enough groups for the folds."""
    name = wildcards["dataset"]
    try:
        source = open_checked(config, name)
        message = too_many_bad(config, name, source, look_at(source, colour=False)) if source else ""
    except InputError as error:
        message = str(error)
    return [message if message.startswith(f"datasets.{name}") else f"datasets.{name}: {message}"] if message else []


def open_checked(config: dict, name: str) -> Source | None:
    """The collection of a dataset, if its folder, tables, labels and folds are sound; None if checking takes longer.

    Raises InputError otherwise.
    """
    try:
        source = check_source(config["datasets"][name])
    except ValueError as error:  # raised for a phantom's entry
        raise InputError(str(error)) from None
    if source:
        check_folds(config, name, source)
    return source


def check_folds(config: dict, name: str, source: Source) -> None:
    """Refuse labels with which no classifier can be trained or scored on a fold that the study runs."""
    study = config["study"]
    check_labels(name, config["datasets"][name], source, study["n_splits"], config["seed"], study["folds"])


def too_many_bad(config: dict, name: str, source: Source, look: Look) -> str:
    """Report too many unreadable files, or that the folds are not possible without those files; else ""."""
    allowed = config["datasets"][name]["max_bad_images"]
    if len(look.bad) > allowed:
        return look.in_words(source, allowed)
    if look.bad:
        try:
            check_folds(config, name, source.take(look.good(source)))
        except InputError as error:
            return f"without the images that cannot be read ({look.in_words(source, allowed)}): {error}"
    return ""
