"""Where the learned heads of LPIPS are; used while the graph is built, so it imports nothing heavy."""

from importlib.util import find_spec
from pathlib import Path


def missing_heads() -> str | None:
    """Report that the package with LPIPS's learned heads is missing, or return None."""
    if heads_file():
        return None
    return "the package lpips is not installed, and the heads of LPIPS are in it: `pip install lpips==0.1.4`"


def heads_file() -> Path | None:
    """The file of LPIPS's learned weights in the package lpips, which is not imported; None without it."""
    package = find_spec("lpips")
    return Path(package.submodule_search_locations[0], "weights/v0.1/vgg.pth") if package else None
