"""The step diagnose_encoding on a data set of waves: it writes both files or neither; and what it refuses."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from learnability.autoencoders.encode import encode_dataset
from learnability.diagnostics import encoding
from learnability.diagnostics.encoding import DIAGNOSTICS, SPECTRUM, diagnose_encoding
from learnability.diagnostics.samples import stratified
from learnability.errors import InputError
from learnability.storage.contracts import SAMPLES, write_parquet
from tests.autoencoders import save, write_dataset

CPU = torch.device("cpu")
CONTROLS = {
    "random_init_8": {"class": "random_init", "channels": 4, "factor": 8, "decodes": False},
    "area_downsample_8": {"class": "area_downsample", "channels": 3, "factor": 8},
    "pixel_unshuffle_16": {"class": "pixel_unshuffle", "channels": 768, "factor": 16},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = write_dataset(tmp_path_factory.mktemp("given") / "dataset", number=48)
    names = [f"image{i}" for i in range(48)]
    group = [f"patient{i // 2}" for i in range(48)]
    label = np.arange(48) // 2 % 3
    table = pd.DataFrame({"sample_id": names, "label": label, "label_name": "a", "group": group})
    write_parquet(table[SAMPLES], folder / "samples.parquet")
    return folder


def diagnosed(folder, dataset, entry, number=20, name="mine", **more):
    """Encode and diagnose into a folder; the table by autoencoder, diagnostic and variant, and the spectrum."""
    entry = {"role": "family"} | entry
    encode_dataset(name, entry, dataset, folder / "encoding", CPU)
    files = folder / "mine.csv", folder / "mine_spectrum.csv"
    diagnose_encoding(entry, dataset, folder / "encoding", number, CPU, *files, **more)
    table, spectrum = map(pd.read_csv, files)
    assert (list(table), list(spectrum)) == (DIAGNOSTICS, SPECTRUM)
    return table.set_index(["autoencoder", "diagnostic", "variant"]), spectrum


def test_both_files_have_the_encoding_and_its_images_at_the_grid(tmp_path, dataset):
    table, spectrum = diagnosed(tmp_path, dataset, save("sd", tmp_path / "weights"))
    assert set(zip(table["dataset"], table.index.get_level_values(0), table["role"], strict=True)) == {
        ("waves", "mine", "family"), ("waves", "original", "baseline"),
    }  # fmt: skip
    assert set(table.loc["mine"].index.get_level_values(0)) == {
        "sec", "radial_slope", "spectral_kl", "effective_rank", "participation", "condition", "channel_correlation",
        "twonn", "mle_dimension", "lnc", "within_share", "viv", "lds", "cds", "srss", "equivariance_encoder",
        "equivariance_decoder", "posterior_noise_share", "cka", "cknna",
    }  # fmt: skip
    rows = table.loc["mine"]
    assert set(rows.loc["equivariance_encoder", "n"]) == set(rows.loc["cka", "n"]) == {20}
    assert set(rows.loc["sec", "n"]) == set(rows.loc["posterior_noise_share", "n"]) == {48}
    assert 0 < float(rows.loc[("posterior_noise_share", "raw"), "value"]) < 1
    assert rows.loc[("cka", "raw"), "value"] == "n/a (no teacher)"
    assert rows.loc[("srss", "raw"), "value"] == "n/a (needs masks of regions)"
    assert rows.loc[("lnc", "normalised;k=20"), "value"] != rows.loc[("lnc", "normalised;k=5"), "value"]
    of_images = table.loc["original"]
    assert "equivariance_encoder" not in of_images.index
    kl = float(of_images.loc[("spectral_kl", "normalised;delta=1.0,bins=16,blur=1.2"), "value"])
    assert 0 < kl < float(rows.loc[("spectral_kl", "normalised;delta=1.0,bins=16,blur=1.2"), "value"])
    for _, power in spectrum.groupby("autoencoder"):
        assert power["frequency"].tolist() == [k / 8 for k in range(1, 5)]
        assert power["power"].sum() == pytest.approx(1)


def test_it_repeats_its_bytes(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights")
    for name in ("first", "second"):
        diagnosed(tmp_path / name, dataset, entry)
    for file in ("mine.csv", "mine_spectrum.csv"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@pytest.mark.parametrize("name", CONTROLS)
def test_what_a_control_lacks_says_why(tmp_path, dataset, name):
    rows = diagnosed(tmp_path, dataset, CONTROLS[name] | {"role": "control"}, name=name)[0].loc[name]
    decoder = rows.loc[("equivariance_decoder", "normalised;transform=turn"), "value"]
    assert (decoder == "n/a (no decoder)") == (name == "random_init_8")
    assert rows.loc[("posterior_noise_share", "raw"), "value"] == "n/a (no posterior)"
    error = float(rows.loc[("equivariance_encoder", "normalised;transform=turn"), "value"])
    assert (error > 0.1) != (name == "area_downsample_8")  # which is equivariant; others mix pixels of a cell
    if name == "pixel_unshuffle_16":
        assert rows.loc[("sec", "raw;tau=0.5"), "value"] == "n/a (a grid of 4)"


def test_the_teacher_is_compared_on_the_sample(tmp_path, dataset):
    import timm

    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}')
    teacher = ("test_resnet", tmp_path / "model.safetensors")
    rows = diagnosed(tmp_path, dataset, CONTROLS["area_downsample_8"], teacher=teacher)[0].loc["mine"]
    for key in (("cka", "normalised"), ("cknna", "normalised;k=10")):
        assert abs(float(rows.loc[key, "value"])) <= 1.5
        assert rows.loc[key, "n"] == 20


def test_nothing_is_written_where_it_fails(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(encoding, "as_spectrum", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        diagnosed(tmp_path, dataset, CONTROLS["area_downsample_8"])
    assert not list(tmp_path.glob("*.csv"))


def test_damaged_latents_are_refused(tmp_path, dataset):
    entry = CONTROLS["area_downsample_8"] | {"role": "control"}
    encode_dataset("mine", entry, dataset, tmp_path / "encoding", CPU)
    content = bytearray((tmp_path / "encoding" / "latents.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "encoding" / "latents.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"latents\.npy: damaged, not what digest_latents of autoencoder\.json says"):
        diagnose_encoding(entry, dataset, tmp_path / "encoding", 4, CPU, tmp_path / "a.csv", tmp_path / "b.csv")


def test_a_sample_has_every_class_and_of_each_its_share():
    label = np.repeat([0, 1, 2], [900, 95, 5])
    chosen = stratified(label, 100)
    counts = np.bincount(label[chosen])
    assert (len(np.unique(chosen)), len(chosen)) == (100, 100)
    assert (counts >= [85, 8, 1]).all()
    np.testing.assert_array_equal(chosen, stratified(label, 100))
    assert len(stratified(label, 5000)) == 1000
    assert set(label[stratified(label, 3)]) == {0, 1, 2}
