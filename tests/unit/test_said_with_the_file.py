"""Messages name the file or key: empty cards, arrays from other machines, sources that are folders."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from learnability import cli
from learnability.commands import check
from learnability.commands.lines import Line
from learnability.errors import InputError
from learnability.generation.latents import latent_batches
from learnability.storage.contracts import read_json, read_run, write_json
from learnability.workflow import hub


@pytest.mark.parametrize("content", ["", "{}", "[]", "null"])
def test_a_card_without_content_is_damaged(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(InputError, match=r"metrics\.json: damaged, .*delete it and run again"):
        read_json(tmp_path / "metrics.json")


def test_metrics_without_scores_are_damaged(tmp_path):
    write_json({"dataset": "mine"}, tmp_path / "metrics.json")
    with pytest.raises(InputError, match=r"metrics\.json: damaged, autoencoder is not in it; delete it"):
        read_run(tmp_path / "metrics.json")


@pytest.mark.parametrize("dtype", [">f4", ">f8", np.longdouble, "<f8", ">i2", np.uint16, np.float16])
def test_latents_of_any_byte_order_and_precision_are_read(tmp_path, dtype):
    values = np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    np.save(tmp_path / "z.npy", values.astype(dtype))
    description = {"space": "latent", "in_channels": 3, "grid": [4, 4], "autoencoder": "mine"}
    names, batches = latent_batches(tmp_path / "z.npy", description, None, size=32)
    ((start, z),) = batches
    assert (names, start) == (["0", "1"], 0)
    torch.testing.assert_close(z.float(), torch.from_numpy(values).float(), rtol=0, atol=0)


@pytest.fixture
def offline(monkeypatch):
    import huggingface_hub

    def refuse(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refuse)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    hub.why_missing.cache_clear()
    yield
    hub.why_missing.cache_clear()


@pytest.mark.usefixtures("offline")
def test_a_relative_folder_is_no_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "a local folder, which begins with ./ or /" in hub.why_missing("weights/mine", ("config.json",), None)
    hub.why_missing.cache_clear()
    (tmp_path / "weights/mine").mkdir(parents=True)
    message = hub.why_missing("weights/mine", ("config.json",), None)
    assert message.startswith(
        "weights/mine reads as a hub id, owner/name, and is a folder here too: write ./weights/mi"
    )
    assert "hf download" not in message


def test_a_long_line_of_a_check_is_not_folded(monkeypatch, capsys):
    command = "`hf download " + " ".join(f"file{i}.safetensors" for i in range(30)) + "`"
    monkeypatch.setattr(check, "examine", lambda *_: [Line("a", "short"), Line("long_name", command, ready=False)])
    monkeypatch.setattr("learnability.study.configuration.read_config", lambda *_: {})
    assert not cli.check([], 0)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "ok       a          short"
    assert printed[1] == f"missing  long_name  {command}"


def test_a_check_in_a_pipe_is_not_folded(tmp_path):
    """The test runs it as a shell does, with 80 columns."""
    code = (
        "from learnability import cli; from learnability.commands import check, lines;"
        "check.examine = lambda *_: [lines.Line('x', 'word ' * 60)]; cli.check([], 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"COLUMNS": "80"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0].count("word") == 60
