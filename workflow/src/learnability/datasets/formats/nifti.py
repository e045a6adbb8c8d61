"""Axial slices of NIfTI volumes and masks, read one at a time."""

import threading
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

AIR = -300  # Hounsfield units; every chest slice has darker air in it or around it


@contextmanager
def reading(path: Path):
    """Turn what nibabel and gzip raise for a broken file into an OSError that names it."""
    from nibabel.filebasedimages import ImageFileError

    try:
        yield
    except (ImageFileError, EOFError, zlib.error) as error:
        raise OSError(f"{path}: {error}") from error


def read_header(path: Path) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the shape of a volume and the distances of its voxels in millimetres."""
    import nibabel

    with reading(path):
        image = nibabel.load(path)
        return image.shape, tuple(map(float, image.header.get_zooms()))


def open_volume(path: Path):
    """Open a nibabel image with plain numbers as voxels; complex numbers or colours would lose a part."""
    import nibabel

    image = nibabel.load(path, keep_file_open=True)
    kind = image.get_data_dtype()
    if kind.kind not in "iuf":
        raise OSError(f"{path}: voxels of {kind}; expected one real number each")
    return image


def finite(values, path: Path, index: int) -> np.ndarray:
    """Return the values of slice `index`; refuse NaN and infinity, which are not intensities."""
    values = np.asarray(values)
    wrong = values.size - np.count_nonzero(np.isfinite(values))
    if wrong:
        raise OSError(f"{path}: {wrong} voxels of slice {index} are NaN or infinite; repair the file, or take it out")
    return values


def crossed_slices(path: Path) -> np.ndarray:
    """Which axial slices a mask crosses: bool (findings, D). Findings are the first axis of a 4-D file; else one."""
    with reading(path):
        mask = open_volume(path).dataobj
        # One slice in memory at a time, and forwards: a .nii.gz cannot be entered in the middle.
        slices = [finite(mask[..., index], path, index) != 0 for index in range(mask.shape[-1])]
    return np.stack([each.reshape(-1, *each.shape[-2:]).any(axis=(1, 2)) for each in slices], axis=1)


class Volumes:
    """Axial slices of volumes below a root as 8-bit images, through a window of Hounsfield units.

    Each thread keeps one volume open and reads it forwards. Values count as Hounsfield units once the slope and
    intercept of the NIfTI header are applied, as in CT-RATE's corrected release. The first release needs more:
    `rescaling` gives its RescaleSlope and RescaleIntercept by file name.
    """

    def __init__(self, root: Path, window: list[float], rescaling: dict[str, tuple[float, float]] | None):
        self.root, self.rescaling = root, rescaling
        self.low, self.high = window
        self.open = threading.local()

    def read(self, name: str, index: int) -> np.ndarray:
        """Slice `index` as uint8 (H, W, 1), anterior on top and the patient's right on the left."""
        with reading(self.root / name):
            if getattr(self.open, "name", None) != name:
                self.open.image, self.open.name = open_volume(self.root / name), name
            image = self.open.image
            values = np.asarray(image.dataobj[..., index]).astype(np.float32)  # (X, Y)
        if self.rescaling is not None:
            slope, intercept = self.find_rescaling(name)
            values = slope * values + intercept
        finite(values, self.root / name, index)
        if values.min() > AIR:
            raise OSError(
                f"{self.root / name}: slice {index} has no value below {AIR}, so these are no Hounsfield "
                "units of a chest; CT-RATE's first release needs `rescale_tables`"
            )
        shown = np.clip((as_seen(values, image.affine) - self.low) / (self.high - self.low), 0, 1)
        return np.round(shown * 255).astype(np.uint8)[..., None]

    def find_rescaling(self, name: str) -> tuple[float, float]:
        file_name = name.rpartition("/")[2]
        if file_name not in self.rescaling:
            raise OSError(f"{file_name} is not in `rescale_tables`; expected a row with this VolumeName")
        if not np.isfinite(self.rescaling[file_name]).all():
            raise OSError(f"{file_name} has no number in `rescale_tables`; expected RescaleSlope and RescaleIntercept")
        return self.rescaling[file_name]


def as_seen(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turn an axial slice (X, Y): rows then run from anterior to posterior, columns from right to left."""
    import nibabel

    orientation = nibabel.io_orientation(affine)  # for each axis: whether it is x, y or z, and its direction
    axes, directions = orientation[:, 0].tolist(), orientation[:, 1]
    if axes[2] != 2:
        raise OSError(f"the third axis is not axial (orientation {nibabel.aff2axcodes(affine)}); expected axial slices")
    image = values if axes[0] == 1 else values.T
    if directions[axes.index(1)] > 0:  # towards anterior
        image = image[::-1]
    if directions[axes.index(0)] > 0:  # towards the patient's right
        image = image[:, ::-1]
    return image
