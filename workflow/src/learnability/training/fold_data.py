"""What a run reads: the rows of one space, their labels, which of them train, and how they are normalised."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch

from ..classifiers.weights import CONFIG
from ..datasets.splits import check_split
from ..errors import InputError
from ..registry import load
from ..storage.arrays import open_packed
from ..storage.batches import Decode, DecodedRows, Rows
from ..storage.channel_sums import channel_moments, channel_sums
from ..storage.contracts import file_digest, read_folds, read_json, read_samples, refuse_damaged, split_rows

FEATURE_BATCH = 32  # rows of a decoder's features at once: up to 134 MB each at the published sizes


@dataclass(frozen=True)
class Inputs:
    """The files that a run reads; what its recipe does not use is None."""

    array: Path  # packed images or latents
    dataset: Path  # folder with dataset.json and samples.parquet
    folds: Path
    autoencoder_card: Path | None = None
    channel_sums: Path | None = None  # of latents
    pretrained: Path | None = None  # ImageNet weights
    start: Path | None = None  # weights of the run that `start_from` names
    teacher_logits: Path | None = None
    teacher_scale: float = 1.0  # of those logits (Recipe.logit_scale)
    decode: Decode | None = None  # stored latents to uint8 images, for reconstructions made on the fly
    stored: Path | None = None  # reconstructions that were decoded before: what is validated and tested then
    views: Path | None = None  # encodings of turned copies of the images, which train too

    @classmethod
    def of_job(cls, files: Mapping[str, str], **more) -> Self:
        """The inputs of a job; `files` are those of its rule by name (study/paths.py), `more` other fields."""
        named = ("array", "channel_sums", "folds", "start", "teacher_logits", "stored", "views")
        paths = {name: Path(files[name]) for name in named if name in files}
        card = Path(files["autoencoder"]) if "autoencoder" in files else None
        return cls(dataset=Path(files["samples"]).parent, autoencoder_card=card, **paths, **more)

    def identity(self) -> list[str]:
        """Digests of everything but the array, whose own is in its card."""
        files = [self.folds, self.dataset / "samples.parquet", self.pretrained, self.start, self.teacher_logits]
        if self.pretrained and (config := self.pretrained.with_name(CONFIG)).is_file():
            files.append(config)  # what normalises images
        return [file_digest(path) if path else "none" for path in files]

    def cards(self) -> list[str]:
        """Digests of the cards, in which are those of the arrays."""
        paths = [self.dataset / "dataset.json", self.autoencoder_card]
        paths += [self.views.with_name("autoencoder.json")] if self.views else []
        return [file_digest(path) if path else "none" for path in paths]


@dataclass
class Fold:
    """The data of one run: rows of a packed array, their labels, and which rows are in which split."""

    rows: Rows | DecodedRows
    array: np.ndarray
    samples: pd.DataFrame
    label: np.ndarray  # (N,)
    split: dict[str, np.ndarray]
    card: dict  # of the dataset
    source: dict  # role of the autoencoder, digest of the array
    sums: np.ndarray | None = None  # (N, 2, C) of latents (storage/channel_sums.py)
    teacher: torch.Tensor | None = None  # logits of the training rows (n_train, K), on the device
    stored: Rows | None = None  # the same rows as images, where `rows` decodes them: what is validated and tested
    features: tuple[int, int, int] | None = None  # C, H, W behind a first part of the decoder; `sums` are of these

    @property
    def held_bytes(self) -> int:
        """Device memory that the rows and a teacher's logits take for the whole training."""
        return self.rows.held_bytes + (0 if self.teacher is None else self.teacher.nbytes)

    @property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each channel of latents over the training rows."""
        return channel_moments(self.sums, self.split["train"], math.prod(self.shape[1:]))

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W of what a classifier of latents reads."""
        return self.features or self.array.shape[1:]


def load_fold(
    cell: dict, n_splits: int, inputs: Inputs, device: torch.device, keep: bool = True, compare: bool = True
) -> Fold:
    """Open what a run reads, and check that its parts belong together.

    `keep` False leaves the rows on the disk, for what goes over them once or reads few of them. `compare` False does
    not compare the array with its digest, for what reads few.
    """
    dataset, array, folds = inputs.dataset, inputs.array, inputs.folds
    card = read_json(dataset / "dataset.json")
    refuse_damaged(dataset / "samples.parquet", card)
    samples = read_samples(dataset / "samples.parquet")
    source = {"role": "baseline", "digest": card["digest_small"]}
    if inputs.autoencoder_card is not None:
        source = encoding_source(cell, card, inputs)
    if compare:
        refuse_damaged(array, card if inputs.autoencoder_card is None else read_json(inputs.autoencoder_card))
    packed = open_packed(array)
    if len(packed) != len(samples):
        raise InputError(f"{array}: {len(packed)} rows for {len(samples)} samples; delete it and run again")
    split = split_rows(read_folds(folds, samples), cell["fold"], n_splits)
    label, classes = samples["label"].to_numpy(), card["classes"]
    check_split(label, split, classes, card["positive"], f"{folds}: fold {cell['fold']}")
    say_absent(label, split, classes)
    whole = packed
    if inputs.views:
        whole, source["views"] = load("recipes.*", "views").with_stored_copies(packed, inputs)
    rows = Rows(whole, device, channels_last=cell["space"] != "latent" and not inputs.decode, keep=keep)
    sums, features = read_channel_sums(inputs), None
    if inputs.decode:
        rows = DecodedRows(rows, samples["sample_id"].to_numpy(), inputs.decode)
        if cell["space"] == "latent":
            sums, features = sums_of_features(rows, split["train"], len(samples))
    return Fold(
        rows=rows,
        array=packed,
        samples=samples,
        label=label,
        split=split,
        card=card,
        source=source,
        sums=sums,
        features=features,
        teacher=read_teacher_logits(inputs.teacher_logits, len(split["train"]), len(classes), device),
        stored=inputs.stored and stored_images(inputs, len(samples), device),
    )


def stored_images(inputs: Inputs, number: int, device: torch.device) -> Rows:
    """The images that the run decodes anew for training, as encode_dataset stored them; read ahead, none is kept."""
    refuse_damaged(inputs.stored, read_json(inputs.autoencoder_card))
    packed = open_packed(inputs.stored)
    if len(packed) != number:
        raise InputError(f"{inputs.stored}: {len(packed)} rows for {number} samples; delete it and run again")
    return Rows(packed, device, channels_last=True, keep=False)


def say_absent(label: np.ndarray, split: dict[str, np.ndarray], classes: list[str]) -> None:
    """Print the classes that a split lacks; a fold may lack some where the data set has `rare_classes: keep`."""
    said = {
        "train": "they cannot be learned; margins and class weights are of the other classes",
        "validation": "epochs, and the values of a search, are chosen by the other classes",
        "test": "the scores are over the other classes",
    }
    for name, meaning in said.items():
        absent = [label_name for k, label_name in enumerate(classes) if not (label[split[name]] == k).any()]
        if absent:
            print(f"no {name} rows of {', '.join(absent)}: {meaning}", flush=True)


def read_channel_sums(inputs: Inputs) -> np.ndarray | None:
    """The sums of the channels of latents, float64 (N, 2, C); None for images."""
    if inputs.channel_sums is None:
        return None
    refuse_damaged(inputs.channel_sums, read_json(inputs.autoencoder_card))
    return np.load(inputs.channel_sums, allow_pickle=False)


def sums_of_features(rows: DecodedRows, train: np.ndarray, number: int) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Channel sums (N, 2, C) of the training rows behind a part of a decoder, 0 for others, and the features' C, H, W.

    Raises InputError where they are no finite numbers.
    """
    sums = shape = None
    start = 0
    for x in rows.batches(train, FEATURE_BATCH):
        if sums is None:
            shape, sums = tuple(x.shape[1:]), np.zeros((number, 2, x.shape[1]))
        if not bool(torch.isfinite(x).all()):
            raise InputError(
                "what the decoder's first blocks make of the training rows has NaN or infinity; set torch_dtype of the "
                "autoencoder to float32, and check that its weights belong to its class"
            )
        for row in x.split(1):  # features are large; sums of one row do not depend on others
            sums[train[start]] = channel_sums(row.numpy()) if row.device.type == "cpu" else sums_of_tensor(row)
            start += 1
    return sums, shape


def sums_of_tensor(x: torch.Tensor) -> np.ndarray:
    """channel_sums of x (n, C, h, w), added up on its device; the last bit may be another."""
    wide = x.double()
    return torch.stack([wide.sum((2, 3)), wide.square_().sum((2, 3))], dim=1).cpu().numpy()


def read_teacher_logits(path: Path | None, rows: int, classes: int, device: torch.device) -> torch.Tensor | None:
    """The logits of a teacher, float32 (n_train, K); those of other training rows or classes are refused."""
    if path is None:
        return None
    refuse_damaged(path, read_json(path.with_suffix(".json")))
    logits = open_packed(path)
    if logits.shape != (rows, classes):
        raise InputError(
            f"{path}: logits of shape {logits.shape}, expected {rows} training rows and {classes} classes; delete it "
            "and run again"
        )
    return torch.from_numpy(np.array(logits)).to(device)


def encoding_source(cell: dict, card: dict, inputs: Inputs) -> dict:
    """Role, digest and pipeline units of an encoding, which must be of these images and usable in this fold."""
    path = inputs.autoencoder_card
    encoding = read_json(path)
    if encoding["dataset_digest"] != card["digest"]:
        raise InputError(f"{path}: encoded from other images than {inputs.dataset}; delete it and run again")
    if encoding.get("fold") not in (None, cell["fold"]):
        raise InputError(
            f"{path}: fine-tuned on the training rows of fold {encoding['fold']}, among which are "
            f"images that fold {cell['fold']} tests on; give fold {cell['fold']} its own encoding"
        )
    return {key: encoding[key] for key in ("role", "pipeline")} | {"digest": encoding[f"digest_{inputs.array.stem}"]}
