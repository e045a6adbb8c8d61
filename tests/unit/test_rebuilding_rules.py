"""What is rebuilt from the parts of a study runs no rule that reads or writes images, latents or networks."""

import re
from pathlib import Path

from docs.measurements.parts import NEED_MORE

RULES = Path(__file__).parents[2] / "workflow" / "rules"


def test_no_rule_with_images_latents_or_networks_is_allowed():
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.smk")))
    found = set()
    for block in re.split(r"^ *(?=rule |use rule )", text, flags=re.MULTILINE)[1:]:
        base, name = re.match(r"(?:use rule (\w+) as )?(?:rule )?(\w+)", block).groups()
        if base in found or re.search(r"\w\.(npy|safetensors)\"", re.split(r"\n(?=\S)", block)[0]):
            found.add(name)
    assert {"encode_dataset", "encode_latents", "encode_views", "encode_latent_views", "train_classifier"} <= found
    assert found <= NEED_MORE
