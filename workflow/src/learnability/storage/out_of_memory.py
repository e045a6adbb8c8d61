"""Whether an error says that the memory of a GPU ran out."""

import re

import torch

# CUDA, cuBLAS and cuDNN take memory beside PyTorch's own, which alone has an error for it; and where none of cuDNN's
# engines gets its workspace, a convolution has no engine.
SAID = re.compile("out of memory|ALLOC(ATION)?_FAILED|unable to find an engine")


def ran_out_of_gpu_memory(error: BaseException) -> bool:
    """Whether memory ran out, of PyTorch's own or of a library's; a CPU's is never meant."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and SAID.search(str(error)) is not None
    )
