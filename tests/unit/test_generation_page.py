"""docs/generation.md, word for word: its Python blocks and commands run in the order of the page."""

import re

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image

from learnability import cli
from learnability.storage.contracts import write_json
from learnability.study.configuration import ROOT, read_config
from learnability.study.recipes import resolve_recipe
from tests.trained import describe_run, write_run

PAGE = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8").replace(" \\\n", " ")  # commands in one line
UNITS = {"mean": [0.0], "std": [1 / 0.18215]}
ISIC = ["AK", "BCC", "BKL", "DF", "MEL", "NV", "SCC", "VASC"]


def test_the_examples_run_as_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (study,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "guide.yaml").write_text(study)
    recipe = resolve_recipe(read_config(tmp_path / "guide.yaml"), "guide")
    assert recipe.noise_space == "autoencoder"
    cell = {"dataset": "isic2019", "autoencoder": "sd14", "recipe": "guide", "classes": ISIC}
    cell |= recipe.take(("film", "noise"))
    run = write_run(tmp_path / "results/runs/isic2019/latent/sd14/guide/fold0", describe_run(pipeline=UNITS, **cell))
    write_json({"pipeline": UNITS}, tmp_path / "results/encodings/isic2019/sd14/autoencoder.json")
    scope: dict = {}
    commands = []
    for code, command in re.findall(
        r"^```python\n(.*?)^```|^    (learnability .*?)$", PAGE, flags=re.DOTALL | re.MULTILINE
    ):
        if code:
            exec(compile(code, "docs/generation.md", "exec"), scope)
        elif "--autoencoder" not in command:  # sd14's weights are not here
            cli.main(command.split()[1:])
            commands.append(command.split()[1])
    assert commands == ["score", "filter", "filter"]
    printed = capsys.readouterr().out
    before, after = map(float, re.search(r"probability of MEL: (\S+), guided (\S+)", printed).groups())
    assert after > before
    assert np.isfinite(float(re.search(r"loss (\S+)", printed)[1]))
    scores = pd.read_parquet("scores.parquet")
    with torch.no_grad():
        expected = scope["classifier"](scope["latents"] / 0.18215).softmax(1)
    np.testing.assert_allclose(scores[ISIC], expected, rtol=1e-4, atol=1e-5)
    kept, rates = pd.read_csv("kept.csv"), pd.read_csv("kept_acceptance.csv")
    assert list(kept["sample_id"]) == list(np.flatnonzero(scores["MEL"] >= 0.2))
    assert rates["kept"].tolist() == [len(kept)] * 2
    assert scope["run"] == str(run.relative_to(tmp_path))


def test_the_images_of_the_page_are_scored_with_an_autoencoder(tmp_path, monkeypatch):
    """The command needs Stable Diffusion's weights; here the shipped stand-in takes their place."""
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"^    learnability (score .*--autoencoder .*)$", PAGE, flags=re.MULTILINE)
    cell = {"dataset": "isic2019", "autoencoder": "sd14", "classes": ISIC}
    write_run(tmp_path / "results/runs/isic2019/latent/sd14/guide/fold0", describe_run(pipeline=UNITS, **cell))
    source = str(ROOT / "workflow/resources/tiny_autoencoders/tiny_sd14")
    study = {"image_size": 64, "classifier_size": 32, "autoencoders": {"sd14": {"source": source, "subfolder": ""}}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    (tmp_path / "generated").mkdir()
    for i in range(3):
        Image.new("RGB", (80, 60), (40 * i, 90, 120)).save(tmp_path / "generated" / f"{i}.png")
    cli.main([*command.split(), "--configfile", "study.yaml"])
    frame = pd.read_parquet("scores_of_images.parquet")
    assert list(frame["sample_id"]) == [f"generated/{i}.png" for i in range(3)]
    np.testing.assert_allclose(frame[ISIC].sum(axis=1), 1)
