"""Jobs that go over the rows of a trained run once: none of them takes memory for the whole array."""

import pytest

from learnability.errors import InputError
from learnability.storage import batches
from learnability.training.across import scores_on
from learnability.training.evaluation import trace_noise_curve
from learnability.training.teacher import write_teacher_logits
from tests.lights import inputs, train, write_study
from tests.recipes import LATENT

pytestmark = pytest.mark.usefixtures("one_thread")
JOBS = {
    "teacher logits": lambda run, read: write_teacher_logits(run, **read, path=run / "teacher_logits.npy"),
    "a noise curve": lambda run, read: trace_noise_curve(run, **read, seed=1),
    "scores across spaces": lambda run, read: scores_on(run, **read),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("study"))
    train(folder, "run", LATENT | {"epochs": 1})
    return folder


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_reads_rows_once_keeps_none_of_them(study, monkeypatch, job):
    kept = []
    for name in ("on_device", "in_memory"):
        whole = getattr(batches, name)
        monkeypatch.setattr(batches, name, lambda *given, whole=whole: kept.append(given) or whole(*given))
    JOBS[job](study / "run", inputs(study, LATENT))
    assert kept == []


@pytest.mark.parametrize("job", JOBS)
def test_it_refuses_an_array_that_is_damaged_all_the_same(study, job):
    path = study / "latents.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(InputError, match=r"latents\.npy: damaged"):
            JOBS[job](study / "run", inputs(study, LATENT))
    finally:
        path.write_bytes(whole)
