"""The tiny study of tests/studies/wet.yaml: its data set as a user has it, and what of its files must repeat."""

from pathlib import Path

from PIL import Image

from learnability.datasets import open_source

STUDY = ("--configfile", "tests/studies/wet.yaml")
RESULTS = Path("results/wet")
PHANTOM = {
    "format": "phantom", "modality": "echo", "groups": {"normal": 14, "defect": 7}, "images_per_group": [1, 3],
    "size": 64, "seed": 3,
}  # fmt: skip


def write_clinic(folder: Path) -> Path:
    """A data set as a user has it: PNG files, and a CSV with label and patient."""
    source = open_source(PHANTOM)
    (folder / "png").mkdir(parents=True)
    for i, name in enumerate(source.samples["sample_id"]):
        Image.fromarray(source.read(i)[..., 0]).save(folder / "png" / f"{name}.png")
    columns = {"sample_id": "image", "label_name": "diagnosis", "group": "patient"}
    source.samples.rename(columns=columns).to_csv(folder / "labels.csv", index=False)
    return folder


def digest_of(results: Path) -> dict[str, bytes]:
    """The bytes of every file that must repeat."""
    patterns = ("tables/*", "significance/*", "figures/*", "runs/**/predictions.parquet", "runs/**/model.safetensors")
    paths = [path for pattern in patterns for path in results.glob(pattern)]
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}
