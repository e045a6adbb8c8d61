"""Images pass in batches that the device bears, and what is made of them is finished beside the next pass."""

import gc
import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from learnability.autoencoders.ahead import encode_ahead
from learnability.autoencoders.encode import images_a_pass
from learnability.errors import InputError

CPU, GPU = torch.device("cpu"), torch.device("cuda")
IMAGES = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


class Written:
    """What a partial array would hold; `rows` were there before."""

    def __init__(self, rows: int = 0):
        self.rows, self.values, self.threads = rows, [], set()

    def write(self, rows: dict) -> None:
        self.values += rows["value"]
        self.rows += len(rows["value"])
        self.threads.add(threading.get_ident())


def values(x: torch.Tensor, start: int) -> dict:
    assert x.shape[1:] == (3, 8, 8)
    assert x[:, 0, 0, 0].tolist() == list(range(start, start + len(x)))
    return {"value": x[:, 0, 0, 0].tolist()}


OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory."),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
)


def out_of_memory(at_most: int, seen: list[int], error: RuntimeError = OUT_OF_MEMORY[0]):
    """An encoder for which the memory suffices for `at_most` images; `seen` is how many it was given."""

    def encode(x: torch.Tensor, start: int) -> dict:
        seen.append(len(x))
        if len(x) > at_most:
            raise error
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


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=str)
def test_a_batch_that_does_not_fit_passes_by_halves_and_so_do_those_after_it(capsys, error):
    """Memory that a library takes beside PyTorch's own runs out in words of the library."""
    written, seen = Written(), []
    encode_ahead(written, IMAGES, 5, CPU, out_of_memory(2, seen, error))
    assert written.values == [0, 1, 2, 3, 4, 5, 6]
    assert seen == [5, 2, 2, 2, 1]
    assert f"5 images at once are too many, 2 from now on: {error}" in capsys.readouterr().out


@pytest.mark.parametrize("said", ["CUDA error: an illegal memory access", "DefaultCPUAllocator: can't allocate memory"])
def test_other_errors_and_the_memory_of_a_host_halve_nothing(said):
    seen = []
    with pytest.raises(RuntimeError, match=said):
        encode_ahead(Written(), IMAGES, 4, CPU, out_of_memory(0, seen, RuntimeError(said)))
    assert seen == [4]


def test_memory_that_does_not_suffice_for_one_image_is_an_error():
    seen = []
    with pytest.raises(torch.OutOfMemoryError):
        encode_ahead(Written(), IMAGES, 4, CPU, out_of_memory(0, seen))
    assert seen == [4, 2, 1]


def test_memory_that_does_not_suffice_to_finish_a_batch_halves_it_too():
    written, seen = Written(), []

    def finish(made: dict) -> dict:
        if 2 in made["value"] and len(made["value"]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return made

    encode_ahead(written, IMAGES, 2, CPU, lambda x, start: seen.append((start, len(x))) or values(x, start), finish)
    assert written.values == [0, 1, 2, 3, 4, 5, 6]
    assert seen == [
        (0, 2),
        (2, 2),
        (4, 2),
        *((start, 1) for start in range(2, 7)),
    ]  # from the first that is not written


@pytest.mark.parametrize("fails_in", ["encode", "finish"])
def test_a_pass_that_did_not_fit_leaves_nothing_in_memory(fails_in):
    made, left = [], []

    def fail_in(place: str, value: torch.Tensor) -> None:
        large = torch.zeros(len(value))  # such as what SSIM is made of
        made.append(weakref.ref(large))
        if fails_in == place and len(value) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    def encode(x: torch.Tensor, start: int) -> torch.Tensor:
        if start == 0 and made:  # begun anew
            left.append([value() is None for value in made])
        value = x[:, 0, 0, 0].clone()
        made.append(weakref.ref(value))
        fail_in("encode", value)
        return value

    def finish(value: torch.Tensor) -> dict:
        fail_in("finish", value)
        return {"value": value.tolist()}

    gc.disable()  # the memory is needed at once
    try:
        encode_ahead(written := Written(), IMAGES, 5, CPU, encode, finish)
    finally:
        gc.enable()
    assert written.values == [0, 1, 2, 3, 4, 5, 6]
    assert all(left[0])


def test_a_signal_that_the_writing_heard_ends_the_encoding_even_if_the_next_batch_does_not_fit():
    written, ends = Written(), [SystemExit(143)]

    def finish(made: dict) -> dict:
        if ends:
            raise ends.pop()  # once, as after SIGTERM when the rows are saved
        return made

    def encode(x: torch.Tensor, start: int) -> dict:
        return out_of_memory(1 if start else 2, [])(x, start)

    with pytest.raises(SystemExit):
        encode_ahead(written, IMAGES, 2, CPU, encode, finish)
    assert written.values == []


@pytest.mark.parametrize(("size", "total", "number"), [
    (512, 8e9, 4), (512, 25.3e9, 4), (512, 42.3e9, 8), (512, 65e9, 8), (512, 84.9e9, 16), (512, 150e9, 16),
    (96, 25.3e9, 64), (2048, 150e9, 4),
])  # fmt: skip
def test_a_gpu_passes_as_many_images_as_the_memory_of_the_whole_card_bears(monkeypatch, size, total, number):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=total))
    monkeypatch.setattr(
        torch.cuda, "mem_get_info", lambda device: pytest.fail("what is free may differ when it goes on")
    )
    assert images_a_pass(size, GPU) == number


def test_a_cpu_always_passes_the_same_number_of_images():
    assert [images_a_pass(size, CPU) for size in (96, 128, 512)] == [7, 4, 1]
