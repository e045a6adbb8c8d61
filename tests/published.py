"""The published configuration, with changes as another study makes them."""

import copy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from learnability.errors import InputError

CHECKOUT = Path(__file__).parents[1]
PUBLISHED = yaml.safe_load((CHECKOUT / "config.yaml").read_text(encoding="utf-8"))
STUDIES = sorted((CHECKOUT / "workflow/studies").glob("*.yaml"))


def published(**changes) -> dict:
    """The published configuration with changes, merged as Snakemake merges them."""
    config = copy.deepcopy(PUBLISHED)
    update_config(config, changes)
    return config


def message_of(check, *arguments) -> str:
    """The message with which a check refuses."""
    with pytest.raises(InputError) as caught:
        check(*arguments)
    return str(caught.value)
