"""What all unit tests share, a fixed number of threads; and a disk that is full."""

import os
import resource
import signal
import sys

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of this folder compute on the device that LEARNABILITY_TEST_DEVICE names."""
    if "LEARNABILITY_TEST_DEVICE" in os.environ:
        from tests.devices import DEVICE, compute_on

        compute_on(DEVICE, [item.module for item in items])


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Repeatable bits need a fixed number of threads; and two of each test process wait for each other's core."""
    if "torch" in sys.modules:  # imported by every test module that computes with it
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def small_disk():
    """No file may grow beyond 2,000 bytes: what a full disk does, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)
