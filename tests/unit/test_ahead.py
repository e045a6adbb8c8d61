"""Images pass in batches that the device bears, and what is made of them is finished beside the next pass."""

import threading

import numpy as np
import pytest
import torch

from learnability.autoencoders import ahead
from learnability.autoencoders.ahead import BatchSize, encode_ahead
from learnability.errors import InputError

CPU, GPU = torch.device("cpu"), torch.device("cuda")
IMAGES = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


class Written:
    """What a partial array would hold; `rows` were there before."""

    def __init__(self, rows: int = 0):
        self.rows, self.values, self.threads = rows, [], set()

    def write(self, rows: dict) -> None:
        self.values += rows["value"]
        self.threads.add(threading.get_ident())


def values(x: torch.Tensor, start: int) -> dict:
    assert x.shape[1:] == (3, 8, 8)
    assert x[:, 0, 0, 0].tolist() == list(range(start, start + len(x)))
    return {"value": x[:, 0, 0, 0].tolist()}


def out_of_memory(at_most: int, seen: list[int]):
    """An encoder for which the memory suffices for `at_most` images; `seen` is how many it was given."""

    def encode(x: torch.Tensor, start: int) -> dict:
        seen.append(len(x))
        if len(x) > at_most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return values(x, start)

    return encode


def test_what_is_made_of_a_batch_is_finished_in_another_thread():
    written, here = Written(rows=2), threading.get_ident()

    def finish(made: dict) -> dict:
        assert threading.get_ident() != here
        return {"value": [2 * value for value in made["value"]]}

    encode_ahead(written, IMAGES, 2, CPU, values, finish)
    assert written.values == [4, 6, 8, 10, 12]
    assert here not in written.threads


@pytest.mark.parametrize(("wrong", "kept"), [(3, 2), (6, 6)])  # in the second batch, and in the last
def test_an_error_of_the_other_thread_ends_the_encoding(wrong, kept):
    written = Written()

    def finish(made: dict) -> dict:
        if wrong in made["value"]:
            raise InputError(f"image {wrong}")
        return made

    with pytest.raises(InputError, match=f"image {wrong}"):
        encode_ahead(written, IMAGES, 2, CPU, values, finish)
    assert written.values == list(range(kept))


def test_a_batch_that_does_not_fit_passes_by_halves_and_so_do_those_after_it(capsys):
    written, seen = Written(), []
    encode_ahead(written, IMAGES, 5, CPU, out_of_memory(2, seen))
    assert written.values == [0, 1, 2, 3, 4, 5, 6]
    assert seen == [5, 2, 2, 1, 2]  # the next five were read already
    assert "5 images at once are too many, 2 from now on: CUDA out of memory." in capsys.readouterr().out


def test_memory_that_does_not_suffice_for_one_image_is_an_error():
    seen = []
    with pytest.raises(torch.OutOfMemoryError):
        encode_ahead(Written(), IMAGES, 4, CPU, out_of_memory(0, seen))
    assert seen == [4, 2, 1]


@pytest.mark.parametrize(("free", "number"), [(3e9, 4), (8e9, 4), (14e9, 8), (21e9, 12), (1e12, 16)])
def test_a_gpu_takes_as_many_images_as_its_memory_has_room_for(monkeypatch, free, number):
    monkeypatch.setattr(ahead, "reachable", lambda device: free)
    monkeypatch.setattr(
        ahead, "taken", lambda device: 4e9
    )  # of the first four: a gigabyte an image, .6 of what is free
    size, x, given = BatchSize(4, GPU), torch.zeros(40, 1), []
    assert sum(rows for rows, _ in size.passes(lambda part, start: given.append(len(part)) or [start], x, 0)) == 40
    assert given[:2] == [4, number]
    assert size.number == number


def test_a_cpu_always_takes_the_same_number_of_images(monkeypatch):
    monkeypatch.setattr(ahead, "reachable", lambda device: 1e12)
    given = []
    encode_ahead(Written(), IMAGES, 3, CPU, lambda x, start: given.append(len(x)) or values(x, start))
    assert given == [3, 3, 1]


def test_after_an_image_too_many_a_gpu_grows_no_more(monkeypatch):
    monkeypatch.setattr(ahead, "reachable", lambda device: 1e12)
    monkeypatch.setattr(ahead, "taken", lambda device: 4e9)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    seen = []
    size, x = BatchSize(4, GPU), torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    assert [rows for rows, _ in size.passes(out_of_memory(2, seen), x, 0)] == [2, 2, 2, 1]
    assert seen == [4, 2, 2, 2, 1]
