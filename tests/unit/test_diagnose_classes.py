"""Numbers about classes and a teacher against closed forms: planted classes, shuffled labels, rotated spaces."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from learnability.diagnostics import classes, similarity
from learnability.diagnostics.teacher import diagnose_likeness, teacher_features
from learnability.errors import InputError
from tests.unit.test_diagnostics import noise

CPU = torch.device("cpu")
LABEL, GROUP = np.arange(400) // 4 % 2, np.arange(400) // 4  # groups of four images, of one class each


def found(rows) -> dict[str, tuple]:
    return {f"{row.diagnostic} {row.variant}": (row.value, row.null) for row in rows}


def test_neighbours_tell_planted_classes_and_nothing_of_dealt_ones():
    planted = noise(400, 5) + torch.from_numpy(2 * LABEL - 1)[:, None] * 6
    rows = found(classes.diagnose_classes("raw", planted, LABEL, GROUP))
    for k in (5, 20):
        value, null = rows[f"lnc raw;k={k}"]
        assert value == pytest.approx(0.5, abs=0.01)  # all neighbours, where chance gives half of them
        assert abs(null) < 0.05
    assert rows["within_share raw"][0] < 0.2
    assert rows["within_share raw"][1] == pytest.approx(1, abs=0.05)


def test_neighbours_of_noise_say_nothing_whatever_the_sizes_of_classes():
    label = np.repeat(np.arange(3), [300, 80, 20])
    rows = found(classes.diagnose_classes("raw", noise(400, 5), label, np.arange(400)))
    assert [abs(value) < 0.06 for value, _ in (rows["lnc raw;k=5"], rows["lnc raw;k=20"])] == [True, True]


def test_images_of_one_group_do_not_vote_for_each_other():
    once = noise(100, 6)
    features = once.repeat_interleave(4, dim=0) + 1e-3 * noise(400, 6, seed=1)
    alone, grouped = (
        found(classes.diagnose_classes("raw", features, LABEL, group))["lnc raw;k=5"][0]
        for group in (np.arange(400), GROUP)
    )
    assert (alone > 0.25, abs(grouped) < 0.08) == (True, True)


def test_dealt_labels_stay_one_of_a_group_and_keep_their_number():
    dealt = classes.labels_by_chance(LABEL, GROUP)
    assert all(len(np.unique(dealt[group == GROUP])) == 1 for group in range(100))
    assert (dealt.sum(), (dealt != LABEL).any()) == (LABEL.sum(), True)


def test_shares_of_variance_are_of_all_rows_and_neighbours_of_a_sample_with_every_class(monkeypatch):
    monkeypatch.setattr(classes, "NEIGHBOURS", 100, raising=False)
    label = np.repeat([0, 1], [396, 4])
    planted = noise(400, 5) + torch.from_numpy(label)[:, None] * 6
    rows = {row.diagnostic: row for row in classes.diagnose_classes("raw", planted, label, np.arange(400))}
    assert [rows[name].n for name in ("lnc", "within_share", "viv")] == [100, 400, 400]
    assert rows["within_share"].value == classes.within_share(planted.numpy(), label)
    assert rows["viv"].value == classes.within_class_spread(planted.numpy(), label)


def test_shares_of_variance_by_hand():
    pooled = np.array([[0.0], [2.0], [10.0], [12.0]])
    assert classes.within_share(pooled, np.array([0, 0, 1, 1])) == pytest.approx(4 / 104)
    wide = np.random.default_rng(0).normal(0, 3, (4000, 2))
    assert classes.within_class_spread(wide, np.zeros(4000, int)) == pytest.approx(np.pi / 2 * 3, rel=0.03)
    assert classes.within_class_spread(wide[:3], np.zeros(3, int)) is None


def test_what_classes_cannot_tell_says_why():
    one = found(classes.diagnose_classes("raw", noise(60, 3), np.zeros(60, int), np.arange(60)))
    assert set(one.values()) == {("n/a (one class)",) * 2}
    few = found(classes.diagnose_classes("raw", noise(12, 3), np.arange(12) % 4, np.arange(12)))
    assert isinstance(few["lnc raw;k=5"][0], float)
    assert few["lnc raw;k=20"] == ("n/a (fewer images than neighbours)",) * 2
    assert few["viv raw"] == ("n/a (no class of 4 images)",) * 2
    equal = found(classes.diagnose_classes("raw", torch.ones(60, 3).double(), np.arange(60) % 2, np.arange(60)))
    assert equal["within_share raw"] == ("n/a (no variance)",) * 2


@pytest.mark.parametrize("function", [similarity.cka, similarity.cknna])
def test_spaces_that_are_turned_into_each_other_are_alike_and_independent_ones_are_not(function):
    x = noise(200, 6)
    turned = x @ torch.linalg.qr(noise(6, 6, seed=1))[0]
    assert function(x, turned) == pytest.approx(1)
    assert abs(function(x, noise(200, 6, seed=2))) < 0.1


def unbiased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Equation 5 of Song et al. 2012, of kernels that may be asymmetric."""
    n, one = len(k), np.ones(len(k))
    k, m = (kernel - np.diag(np.diag(kernel)) for kernel in (k, m))
    whole = (
        np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
    )
    return whole / (n * (n - 3))


def test_the_alignment_on_neighbours_is_the_unbiased_formula_on_masks_that_are_not_symmetric():
    x, y = noise(40, 6), noise(40, 6) + noise(40, 6, seed=1)
    kernels = [features / np.linalg.norm(features, axis=1, keepdims=True) for features in (x.numpy(), y.numpy())]
    kernels = [unit @ unit.T for unit in kernels]
    masks = []
    for kernel in kernels:
        others = np.argsort(-kernel - np.where(np.eye(40), -np.inf, 0), axis=1)[:, :5]
        masks.append(np.zeros((40, 40)))
        np.put_along_axis(masks[-1], others, 1, axis=1)
    assert (masks[0] != masks[0].T).any()
    k, m = (mask * kernel for mask, kernel in zip(masks, kernels, strict=True))
    both = masks[0] * masks[1]
    expected = unbiased_hsic(both * kernels[0], both * kernels[1])
    expected /= np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(m, m))
    assert similarity.cknna(x, y, 5) == pytest.approx(expected)


def test_likeness_has_the_null_of_other_images_and_says_what_it_lacks():
    x = noise(200, 6)
    rows = found(diagnose_likeness("raw", x, x @ torch.linalg.qr(noise(6, 6, seed=1))[0]))
    assert list(rows) == ["cka raw", "cknna raw;k=5", "cknna raw;k=10"]
    assert all(value == pytest.approx(1) and abs(null) < 0.1 for value, null in rows.values())
    assert set(found(diagnose_likeness("raw", x, None)).values()) == {("n/a (no teacher)",) * 2}
    few = found(diagnose_likeness("raw", x[:8], x[:8]))
    assert isinstance(few["cknna raw;k=5"][0], float)
    assert few["cknna raw;k=10"] == ("n/a (fewer images than neighbours)",) * 2


def test_a_teacher_sees_images_as_its_weights_were_trained_and_gives_its_last_features(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model("test_resnet").eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"mean": [0.5, 0.25, 0.5], "std": [0.25, 0.5, 0.5]}')
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
    features = teacher_features("test_resnet", tmp_path / "model.safetensors", images, CPU)
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in ([0.5, 0.25, 0.5], [0.25, 0.5, 0.5]))
    x = (torch.from_numpy(images).movedim(-1, 1).float() / 255 - mean) / std
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(x), pre_logits=True)
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)


def test_a_teacher_that_cannot_be_built_is_refused(tmp_path):
    images = np.zeros((2, 32, 32, 3), np.uint8)
    save_file({"fc.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"study\.diagnostics\.teacher: timm .* has no 'nothing'"):
        teacher_features("nothing", tmp_path / "model.safetensors", images, CPU)
    with pytest.raises(InputError, match=r"model\.safetensors: these weights do not fit test_resnet .*is missing"):
        teacher_features("test_resnet", tmp_path / "model.safetensors", images, CPU)
