"""The last layer of a classifier, which computes in float32 whatever the network before it does.

bfloat16 has eight bits: logits that are rounded to it, and then multiplied by the 30 of a margin loss, tie.
"""

from contextlib import AbstractContextManager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager:
    """Autocast off, on a device that has it; `meta`, on which operations are counted, has none."""
    available = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if available else nullcontext()
