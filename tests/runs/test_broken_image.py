"""A data set with an image that cannot be read."""

from tests.conftest import copy_checkout, snakemake
from tests.tiny_study import RESULTS, STUDY, write_clinic


def test_a_broken_image_stops_with_its_name_and_leaves_nothing(tmp_path):
    folder, data = copy_checkout(tmp_path / "checkout"), write_clinic(tmp_path / "clinic")
    broken = sorted((data / "png").iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:200])
    target = str(RESULTS / "datasets/clinic/images.npy")
    output = snakemake("--cores", "1", *STUDY, "--", target, folder=folder, code=None, CLINIC_ROOT=str(data))
    assert broken.stem in output
    assert "max_bad_images" in output
    assert not (folder / target).exists()
    assert "Traceback" not in output
