"""The README.md of an export: what it is, where things are, and what is missing."""

from pathlib import Path

from ..storage.contracts import read_json
from ..tables.labels import PHANTOM_NOTICE
from .model_card import licence_of

TEXT = """# Results of the study {name}

{notice}Tables, tests, figures and trained classifiers of a study of the learnability gap.
The gap is how much worse classifiers do on the latents of an autoencoder than on the images decoded from them.

| where | what |
|---|---|
| {summary}`tables/`, `significance/`, `figures/` | the results |
| `runs/{{dataset}}/{{space}}/{{autoencoder}}/{{recipe}}/fold{{fold}}/` | a classifier with its card, README.md |
| `datasets/`, `encodings/`, `searches/`, `weights/` | the cards of data, autoencoders and searches |
| `study.json` | the lists of the study |
| `code/` | the workflow with which it was exported |
| `ro-crate-metadata.json` | all of it for machines: an RO-Crate, with the SHA-256 of every file |

## Licences

{licences}

The classifiers derive from these. Nobody has stated a licence for their weights. The workflow in `code/` has its own,
`code/LICENSE`.

## Not in it

Images, reconstructions and latents; samples, folds, predictions, fidelity and teachers' logits, which have a row for
each image; duplicates; weights of autoencoders; logs. {left_out}A digest of what was left out stands in the cards.
"""


def readme(results: Path, files: list[str]) -> str:
    """Write the text from the cards of a results folder and the names of the exported files."""
    data = [read_json(path) for path in sorted(results.glob("datasets/*/dataset.json"))]
    encoders = [read_json(path) for path in sorted(results.glob("encodings/*/*/autoencoder.json"))]
    lines = [f"- data set `{card['dataset']}`{' (phantoms)' * card['synthetic']}: {licence_of(card)}" for card in data]
    lines += [f"- autoencoder `{card['autoencoder']}`: {licence_of(card)}" for card in encoders]
    all_synthetic = all(card["synthetic"] for card in data)
    phantoms = [f"`{card['dataset']}`" for card in data if card["synthetic"]]
    notice = f"**{PHANTOM_NOTICE}** " if all_synthetic else f"Synthetic: {', '.join(phantoms)}. " if phantoms else ""
    return TEXT.format(
        name=results.resolve().name,
        notice=notice,
        summary="`summary.html`, " * ("summary.html" in files),
        licences="\n".join(dict.fromkeys(lines)),
        left_out="" if all_synthetic else "Figure 3 and a summary that holds it, which show images. ",
    )
