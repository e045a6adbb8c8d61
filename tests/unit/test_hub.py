"""Weights come from a hub, here a local server that speaks its protocol; only one job asks it."""

import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from learnability.errors import InputError
from learnability.storage.contracts import read_json
from learnability.study.refusals import check_study
from learnability.workflow.hub import weights_to_fetch
from tests.unit.test_study import published

SOURCE = Path(__file__).parents[2] / "workflow" / "src"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER = "fedcba9876543210fedcba9876543210fedcba98"  # what `main` names from the second question on, where it moves
FILES = {"vae/config.json": b"{}", "vae/diffusion_pytorch_model.safetensors": b"weights" * 1000}


class Handler(BaseHTTPRequestHandler):
    """Answers as the hub does for owner/model at `main` and at its commit; owner/gated wants a token."""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool):
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization")))
        repository, _, rest = self.path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        content = FILES.get(name) if repository in ("owner/model", "owner/gated") else None
        if repository == "owner/gated" and self.headers.get("Authorization") != "Bearer secret":
            return self.refuse(403, "GatedRepo")
        if content is None or revision not in ("main", COMMIT, LATER):
            return self.refuse(404, "EntryNotFound")
        commit = revision
        if revision == "main":
            commit = LATER if self.server.moves and self.server.named else COMMIT
            self.server.named.append(commit)
        if commit == LATER:
            content = content + b" of the later commit"
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def refuse(self, code: int, reason: str):
        self.send_response(code)
        self.send_header("X-Error-Code", reason)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing on the terminal."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked, running.named, running.moves = [], [], False
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def run(code: str, server, tmp_path, **environment) -> subprocess.CompletedProcess:
    """Run code in a process of its own, whose hub is the server and whose cache is empty."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    clean |= {"PYTHONPATH": str(SOURCE), "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": "http://127.0.0.1:%d"}
    clean["HF_ENDPOINT"] %= server.server_address[1]
    command = [sys.executable, "-c", f"from pathlib import Path\nfrom learnability.workflow.hub import fetch\n{code}"]
    return subprocess.run(
        command, env=clean | environment, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_files_are_fetched_whole_and_the_commit_is_written_down(server, tmp_path):
    done = run(f"fetch('owner/model', None, {list(FILES)}, Path('weights/sd14'))", server, tmp_path)
    assert done.returncode == 0, done.stdout
    folder = tmp_path / "weights" / "sd14"
    for name, content in FILES.items():
        assert (folder / name).read_bytes() == content
    record = read_json(folder / "source.json")
    assert (record["repository"], record["revision"]) == ("owner/model", COMMIT)
    assert record["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert left == ["source.json", *sorted(FILES)]
    assert all(token is None for *_, token in server.asked)


def test_all_files_are_of_one_commit_though_the_hub_changes_in_between(server, tmp_path):
    server.moves = True
    done = run(f"fetch('owner/model', None, {list(FILES)}, Path('weights/sd14'))", server, tmp_path)
    assert done.returncode == 0, done.stdout
    folder = tmp_path / "weights" / "sd14"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert read_json(folder / "source.json")["revision"] == COMMIT
    assert server.named == [COMMIT]  # what is the newest is asked once: the next answer would be another


def test_a_cache_that_has_a_part_of_an_older_commit_gives_none_of_it(server, tmp_path):
    cache = tmp_path / "home/hub/models--owner--model"
    older = cache / "snapshots" / LATER[::-1]
    (older / "vae").mkdir(parents=True)
    (older / "vae/config.json").write_bytes(b"{older}")
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text(older.name)
    done = run(f"fetch('owner/model', None, {list(FILES)}, Path('weights/sd14'))", server, tmp_path)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "weights/sd14/vae/config.json").read_bytes() == FILES["vae/config.json"]
    assert read_json(tmp_path / "weights/sd14/source.json")["revision"] == COMMIT


def test_a_token_comes_from_the_environment_and_nowhere_else(server, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text("secret")  # where `hf auth login` stores it
    code = f"fetch('owner/gated', '{COMMIT}', {list(FILES)}, Path('weights/flux2'))"
    refused = run(code, server, tmp_path)
    assert refused.returncode != 0
    assert not (tmp_path / "weights/flux2/source.json").exists()
    assert run(code, server, tmp_path, HF_TOKEN="secret").returncode == 0
    written = [path.read_bytes() for path in (tmp_path / "weights").rglob("*") if path.is_file()]
    assert not any(b"secret" in content for content in written)


def test_what_the_cache_of_this_machine_has_is_copied_without_a_question(server, tmp_path):
    snapshot = tmp_path / "home/hub/models--owner--model/snapshots" / COMMIT
    for name, content in FILES.items():
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_bytes(content + b" of the cache")
    code = f"fetch('owner/model', '{COMMIT}', {list(FILES)}, Path('weights/sd14'))"
    assert run(code, server, tmp_path, HF_HUB_OFFLINE="1").returncode == 0
    for name, content in FILES.items():
        assert (tmp_path / "weights/sd14" / name).read_bytes() == content + b" of the cache"
    assert read_json(tmp_path / "weights/sd14/source.json")["revision"] == COMMIT
    assert server.asked == []


def test_a_job_that_computes_cannot_reach_the_hub(server, tmp_path):
    code = f"fetch('owner/model', None, {list(FILES)}, Path('weights/sd14'))"
    inside = f"from learnability.workflow.jobs import job\nwith job('log'{{}}):\n    {code}"
    assert run(inside.format(""), server, tmp_path).returncode != 0
    assert "HF_HUB_OFFLINE" in (tmp_path / "log").read_text() or "offline" in (tmp_path / "log").read_text().lower()
    assert server.asked == []
    assert run(inside.format(", online=True"), server, tmp_path).returncode == 0


def test_what_has_a_hub_id_is_fetched_by_its_pinned_revision_and_a_folder_is_not():
    config = published(autoencoders={"mine": {"class": "AutoencoderKL", "source": "/weights/mine", "channels": 4}})
    wanted = weights_to_fetch(config)
    assert {"sd14", "flux1", "flux2", "resnet50", "convnext_tiny"} <= wanted.keys()
    assert not {"mine", "pixel_unshuffle_8", "medvae_ft", "random_init_8"} & wanted.keys()
    unpinned = ("medvae", "vgg16", "convnext_small")
    assert all(len(request["revision"]) == 40 for name, request in wanted.items() if name not in unpinned)
    assert wanted["sd14"]["files"] == list(FILES)
    assert wanted["resnet50"]["files"] == ["model.safetensors"]


def test_a_recipe_that_starts_from_weights_nobody_named_is_refused():
    with pytest.raises(InputError, match=r"pretrained.resnet101: missing; name its weights there"):
        check_study(published(recipes={"image": {"model": "resnet101"}}))
