"""What a person sees of a run: a panel in a terminal, plain lines in a pipe, Table 1 at the end."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from learnability.storage.contracts import write_json
from tests.conftest import CHECKOUT, snakemake
from tests.scored_runs import scored_runs

STUDY = """
results: results/shown
study: {datasets: [echo], autoencoders: [pixel_unshuffle_8], spaces: [image], folds: [0, 1], efficiency: null,
        recipes: {table1: [image], table4: [], gap_decomposition: [], ablation_controls: []}}
datasets:
  echo: {label: Echo phantom, format: phantom, modality: echo, groups: {normal: 9, defect: 9}, positive: defect,
         images_per_group: [1, 1], size: 64, seed: 0}
"""
COMMAND = ("--profile", str(CHECKOUT / "profiles/local"), "--snakefile", str(CHECKOUT / "Snakefile"), "--cores", "1",
           "--configfile", "study.yaml", "--", "table1")  # fmt: skip


@pytest.fixture
def trained(tmp_path) -> Path:
    """A study of image space whose trainings are done; only Table 1 is left to make."""
    (tmp_path / "study.yaml").write_text(STUDY)
    write_json({"dataset": "echo", "synthetic": True}, tmp_path / "results/shown/datasets/echo/dataset.json")
    for run in scored_runs([("original", "image", "image")], datasets=["echo"], folds=(0, 1)).to_dict("records"):
        folder = "results/shown/runs/{dataset}/{space}/{autoencoder}/{recipe}/fold{fold}".format(**run)
        write_json(run | {"epochs": 20, "device": "cpu"}, tmp_path / folder / "metrics.json")
    return tmp_path


def in_terminal(*command: str, folder: Path) -> str:
    """What a command writes to a terminal of 100 columns, without colours."""
    head, tail = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    started = subprocess.Popen(command, cwd=folder, env=environment, stdin=tail, stdout=tail, stderr=tail)
    os.close(tail)
    written = b""
    while True:
        try:
            written += (more := os.read(head, 4096))
        except OSError:  # how a terminal that everyone has left ends
            break
        if not more:
            break
    os.close(head)
    assert started.wait() == 0, written.decode()[-4000:]
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode()).replace("\r", "")


def test_a_terminal_shows_a_bar_the_running_job_and_table_1(trained):
    output = in_terminal(sys.executable, "-m", "snakemake", *COMMAND, folder=trained)
    frames = output.split("╭")
    bars = [frame for frame in frames if re.search(r"━ +\d of 3 jobs", frame)]
    assert any("1 running" in frame and re.search("Table 1: the learnability gap +0:00:0", frame) for frame in bars)
    assert any(re.search(r"1 of 3 jobs .*about 0:00:\d\d left", frame) for frame in bars)
    end = " ".join(output.split()).split("Table 1, balanced accuracy, mean over 2 folds")[1]
    assert re.search(r"original .*image .*0\.\d{3}", end)
    assert "Phantom data: synthetic images, not patients." in end
    assert "jobs" not in end  # the panel is gone


def test_a_pipe_gets_plain_lines_and_table_1(trained):
    output = snakemake(*COMMAND, folder=trained)
    assert "\x1b" not in output
    assert "╭" not in output
    assert re.search(r"make table1 +1 *\n", output)
    assert " ".join(output.split()).count("Table 1, balanced accuracy") == 1
    assert "Workflow Finished" in output


def test_a_run_of_which_table_1_is_no_part_does_not_show_it(trained):
    other = snakemake(*COMMAND[:-1], "results/shown/study.json", folder=trained)
    assert "balanced accuracy" not in other
