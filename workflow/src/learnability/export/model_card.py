"""The model card of a classifier: a README.md with the front matter that model hubs read."""

from pathlib import Path

import yaml

from ..significance.chance import chance
from ..storage.contracts import SCORES, read_json
from ..study.words import counted
from ..tables.labels import PHANTOM_NOTICE

UNKNOWN = "unknown"
METRICS = {  # the name of a score on hubs, and for readers
    "balanced_accuracy": ("balanced_accuracy", "balanced accuracy"),
    "auc": ("roc_auc", "AUC"),
    "mcc": ("matthews_correlation", "Matthews correlation"),
}
SPACES = {"image": "images", "latent": "latents", "reconstruction": "reconstructions"}


def licence_of(card: dict) -> str:
    """The licence that a card states, or a note that it states none."""
    stated = card.get("licence") or UNKNOWN
    return UNKNOWN if stated == "not stated" else stated


def model_card(results: Path, run: Path) -> str:
    """The card of the classifier in `run`, a folder of the results with model.json and metrics.json."""
    model, metrics = read_json(run / "model.json"), read_json(run / "metrics.json")
    data = read_json(results / "datasets" / model["dataset"] / "dataset.json")
    encoder = encoder_of(results, model)
    name = title(model)
    parts = [
        f"---\n{front_matter(name, model, metrics)}---\n\n# {name}",
        f"**{PHANTOM_NOTICE}** The scores below say nothing about real images." if model["synthetic"] else "",
        "## What it classifies\n\n" + described_input(model, data),
        "## Data and licences\n\n" + described_data(model, metrics, data, encoder),
        f"## Scores\n\nOn the {metrics['n_test']} test images of fold {model['fold']}, which it never saw.\n\n"
        + score_table(run, model),
        "## Limits\n\n" + limits(model, metrics, data),
        "## How to load it\n\n" + how_to_load(model),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def title(model: dict) -> str:
    where = f" of {model['autoencoder']}" if model["space"] != "image" else ""
    return f"{model['dataset']}: {SPACES[model['space']]}{where}, recipe {model['recipe']}, fold {model['fold']}"


def encoder_of(results: Path, model: dict) -> dict:
    """The card of the autoencoder, of this fold if it was tuned for each; {} in image space."""
    name = model["autoencoder"]
    folder = results / "encodings" / model["dataset"]
    for path in (folder / f"{name}@fold{model['fold']}", folder / name):
        if (path / "autoencoder.json").is_file():
            return read_json(path / "autoencoder.json")
    return {}


def front_matter(name: str, model: dict, metrics: dict) -> str:
    """The front matter as YAML; nobody states a licence for the weights, which hubs call unknown."""
    shown = model["dataset"] + " (synthetic)" * model["synthetic"]
    dataset = {"name": shown, "type": model["dataset"], "split": "test"}
    scores = [{"type": kind, "name": called, "value": metrics[key]} for key, (kind, called) in METRICS.items()]
    results = [{"task": {"type": "image-classification"}, "dataset": dataset, "metrics": scores}]
    tags = ["learnability-gap", model["space"], *(["synthetic-data"] if model["synthetic"] else [])]
    content = {
        "license": UNKNOWN,
        "library_name": "learnability",
        "pipeline_tag": "image-classification",
        "tags": tags,
        "model-index": [{"name": name, "results": results}],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def described_input(model: dict, data: dict) -> str:
    channels, (rows, columns) = model["in_channels"], model["grid"]
    if model["space"] == "latent":
        taken = (
            f"raw latents of `{model['autoencoder']}`, (N, {channels}, {rows}, {columns}), as its encoder gives them: "
            "posterior mode, no scaling factor, shift or packing"
        )
        if blocks := model.get("decoder_blocks"):
            taken = (
                f"what the frozen decoder of `{model['autoencoder']}` makes of its raw latents up to block `{blocks}`, "
                f"(N, {channels}, {rows}, {columns})"
            )
        if transform := model.get("transform"):
            how = ", ".join(f"{key} {value}" for key, value in transform.items() if key != "kind")
            taken += f". It normalises them and applies a fixed map, `{transform['kind']}`" + (how and f" ({how})")
    else:
        taken = f"RGB images in 0..255, (N, 3, {rows}, {columns})"
        if model["space"] == "reconstruction":
            taken += f", encoded and decoded by `{model['autoencoder']}`"
    classes = "\n".join(
        f"{i}. `{name}` ({counted(data['counts'][name], 'image')})" for i, name in enumerate(model["classes"])
    )
    return f"It takes {taken}. It gives one logit for each class, in this order:\n\n{classes}"


def described_data(model: dict, metrics: dict, data: dict, encoder: dict) -> str:
    kind = "phantoms, synthetic images" if model["synthetic"] else f"{data['grouped_by'] or 'image'} is the group"
    lines = [
        f"- Data set: `{model['dataset']}`, {counted(data['images'], 'image')} in {counted(data['groups'], 'group')} "
        f"({kind}). Licence: {licence_of(data)}.",
        f"- Digest of its packed images: `{data['digest']}`.",
    ]
    if encoder:
        lines.append(
            f"- Autoencoder: `{model['autoencoder']}`, class `{encoder['class']}`. Licence: {licence_of(encoder)}. "
            f"SHA-256 of its weights: `{encoder.get('weights_digest') or 'none'}`. They are not in this export."
        )
    recipe = model.get("trained_by", model)
    lines += [
        f"- Recipe: `{model['recipe']}`: {model['model']}, loss {recipe.get('loss', UNKNOWN)}, "
        f"{counted(metrics['epochs'], 'epoch')}, the weights of epoch {metrics['best_epoch']}. "
        "`model.json` has all of it under `trained_by`.",
        "- Licence of these weights: unknown. They derive from the sources above, whose licences bind them; "
        "state yours before you pass them on.",
    ]
    return "\n".join(lines)


def score_table(run: Path, model: dict) -> str:
    """Each score of this fold with chance beside it, and the mean over all trained folds of the cell."""
    folds = [read_json(path) for path in sorted(run.parent.glob("fold*/metrics.json"))]
    own = next(fold for fold in folds if fold["fold"] == model["fold"])
    lines = [
        f"| score | this fold (n = {own['n_test']}) | chance | mean of {counted(len(folds), 'fold')} "
        f"(n = {sum(fold['n_test'] for fold in folds)}) |",
        "|---|---|---|---|",
    ]
    for key in SCORES:
        mean = sum(fold[key] for fold in folds) / len(folds)
        lines.append(f"| {METRICS[key][1]} | {own[key]:.3f} | {chance(len(model['classes']), key):.3f} | {mean:.3f} |")
    return "\n".join(lines)


def limits(model: dict, metrics: dict, data: dict) -> str:
    lines = [
        f"- It is the classifier of one fold: trained on {metrics['n_train']} images, stopped on "
        f"{metrics['n_validation']}. Other images of this data set were in its training.",
        "- It was made to measure how hard a space is to learn from. It is not a medical device, and no one tested it "
        "for a diagnosis.",
        f"- The largest class has {data['imbalance_ratio']:.3g} times as many images as the smallest. Its softmax is "
        "not a calibrated probability.",
    ]
    if model["space"] != "image":
        lines.append(f"- It fits `{model['autoencoder']}` with the weights named above, and no other autoencoder.")
    return "\n".join(lines)


def how_to_load(model: dict) -> str:
    if blocks := model.get("decoder_blocks"):
        return (
            f"`load_classifier` refuses it, because the decoder of `{model['autoencoder']}` stands in front up to "
            f"block `{blocks}` and is not in this folder; `model.json` and `model.safetensors` hold what is behind it."
        )
    sigma = "" if not model["noise"] else "  # sigma: the noise level; None is clean"
    call = "classifier(z, sigma=None)" if model["noise"] else "classifier(z)"
    return (
        "With the package `learnability` (`code/workflow/src` of the export that this folder comes from):\n\n"
        "```python\nfrom learnability import load_classifier\n\n"
        'classifier = load_classifier(".")  # this folder: model.safetensors and model.json\n'
        f"logits = {call}{sigma}\n```"
    )
