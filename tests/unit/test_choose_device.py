"""Which device a job takes: one that was given a GPU and cannot use it ends with the reason."""

import os

import pytest
import torch

from learnability.errors import InputError
from learnability.workflow.jobs import choose_device

TOO_OLD = "The NVIDIA driver on your system is too old (found version 11040).\nPlease update your GPU driver."


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """A machine with a driver that is too old for this PyTorch; returns a function that gives an environment."""

    def fail():
        raise RuntimeError(TOO_OLD)

    nvidia_smi = tmp_path / "nvidia-smi"
    nvidia_smi.write_text("#!/bin/sh\necho 470.57.02\n")
    nvidia_smi.chmod(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", fail)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    return lambda given: monkeypatch.setattr(os, "environ", path | given)


@pytest.mark.parametrize(
    "given",
    [
        {"CUDA_VISIBLE_DEVICES": "0"},
        {"CUDA_VISIBLE_DEVICES": "GPU-5ac1,1"},
        {"SLURM_JOB_GPUS": "3"},
        {"SLURM_JOB_GPUS": "3", "CUDA_VISIBLE_DEVICES": ""},  # given, and hidden by a fault of the site
    ],
)
def test_a_gpu_that_was_given_and_cannot_be_used_is_refused_with_the_reason(broken, given):
    broken(given)
    with pytest.raises(InputError) as caught:
        choose_device(1)
    name = "CUDA_VISIBLE_DEVICES" if given.get("CUDA_VISIBLE_DEVICES") else "SLURM_JOB_GPUS"
    assert str(caught.value) == (
        f"{name}={given[name]} gives this job a GPU, and PyTorch cannot use it: The NVIDIA driver on your system is "
        "too old (found version 11040). Please update your GPU driver "
        f"(torch {torch.__version__}, built for CUDA 12.8; driver 470.57.02). Install the PyTorch whose CUDA this "
        "driver and this GPU know, or update the driver; to compute on the CPU anyway, set LEARNABILITY_DEVICE=cpu"
    )


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"CUDA_VISIBLE_DEVICES": ""},
        {"CUDA_VISIBLE_DEVICES": "-1", "SLURM_JOB_GPUS": "0"},
        {"CUDA_VISIBLE_DEVICES": "NoDevFiles", "SLURM_JOB_GPUS": "0"},
        {"CUDA_VISIBLE_DEVICES": "0", "LEARNABILITY_DEVICE": "cpu"},
    ],
)
def test_without_one_and_where_it_is_wanted_a_job_runs_on_the_cpu(broken, given, capsys):
    broken(given)
    assert choose_device(1) == torch.device("cpu")
    assert capsys.readouterr().out == ""


def test_the_cpu_can_be_had_on_a_machine_whose_gpu_works(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LEARNABILITY_DEVICE", "cpu")
    assert choose_device(1) == torch.device("cpu")


def test_a_card_of_this_machine_that_cannot_be_used_is_said_in_the_log(broken, capsys):
    broken({"LEARNABILITY_CARDS": "0", "LEARNABILITY_JOBS_PER_CARD": "1"})  # as the head process found it
    assert choose_device(1) == torch.device("cpu")
    first, second = capsys.readouterr().out.splitlines()
    assert first == "GPU 0"
    assert second.startswith("PyTorch cannot use it: The NVIDIA driver on your system is too old")
    assert second.endswith("; this job runs on the CPU")


@pytest.fixture
def too_old(broken, monkeypatch):
    """A machine whose GPU CUDA knows and this PyTorch has no kernels for; returns what `broken` does."""

    def no_kernel(*_, device):
        raise torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device\nSearch for")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90"])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100-SXM2-32GB")
    monkeypatch.setattr(torch, "zeros", no_kernel)
    return broken


WITHOUT_KERNELS = "PyTorch cannot use it: it has kernels for sm_75 sm_90, and Tesla V100-SXM2-32GB is none of these ("


def test_a_gpu_that_pytorch_has_no_kernels_for_is_refused_before_any_work(too_old):
    too_old({"SLURM_JOB_GPUS": "3"})
    with pytest.raises(InputError) as caught:
        choose_device(1)
    assert WITHOUT_KERNELS in str(caught.value)


def test_such_a_card_of_this_machine_is_said_in_the_log(too_old, capsys):
    too_old({"LEARNABILITY_CARDS": "0", "LEARNABILITY_JOBS_PER_CARD": "1"})
    assert choose_device(1) == torch.device("cpu")
    assert WITHOUT_KERNELS in capsys.readouterr().out


def test_a_gpu_that_fails_in_another_way_ends_the_job_with_its_own_error(too_old, monkeypatch):
    too_old({"LEARNABILITY_CARDS": "0", "LEARNABILITY_JOBS_PER_CARD": "1"})
    busy = torch.AcceleratorError("CUDA error: CUDA-capable device(s) is/are busy or unavailable")
    monkeypatch.setattr(torch, "zeros", lambda *_, device: (_ for _ in ()).throw(busy))
    with pytest.raises(RuntimeError, match="busy or unavailable"):
        choose_device(1)


def test_a_build_for_cpus_alone_says_so(broken, monkeypatch):
    broken({"SLURM_JOB_GPUS": "0"})
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(InputError, match="built for CPUs alone; driver 470"):
        choose_device(1)
