"""What all unit tests share: a fixed number of threads; a user's module and a full disk for those that need one."""

import os
import resource
import signal
import sys

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of this folder compute on the device named in LEARNABILITY_TEST_DEVICE."""
    if "LEARNABILITY_TEST_DEVICE" in os.environ:
        from tests.devices import DEVICE, compute_on

        compute_on(DEVICE, [item.module for item in items])


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Use one thread: repeatable bits need a fixed number, and with two each, test processes wait for each other."""
    if "torch" in sys.modules:  # every test module that computes with torch has imported it
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Writes a module (name, text) as a user does, into the folder in which a study starts; forgets it afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names = []

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        names.append(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def small_disk():
    """Let no file grow beyond 2,000 bytes, like a full disk, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)
