"""Which encodings a study has, and whether their autoencoders are fine-tuned, on what and with what."""

from .cells import cells, decodes

BACKBONE = "vgg16"  # the `pretrained` entry whose features LPIPS compares


def uses_lpips(entry: dict) -> bool:
    """Whether an autoencoder's entry is fine-tuned with a perceptual term."""
    return (entry.get("finetune") or {}).get("perceptual") == "lpips"


def tuned_per_fold(config: dict, autoencoder: str) -> bool:
    """Whether an autoencoder is fine-tuned for each fold on its training rows; if not, one serves all folds."""
    finetune = config["autoencoders"][autoencoder].get("finetune") or {}
    return finetune.get("images") == "train_rows_per_fold"


def fold_suffix(config: dict, autoencoder: str, fold: int) -> str:
    """What a run of `fold` adds to the name of an autoencoder's weights and encodings: "", or @fold{k}."""
    return f"@fold{fold}" if tuned_per_fold(config, autoencoder) else ""


def encodings(config: dict) -> list[str]:
    """{dataset}/{autoencoder}, or {dataset}/{autoencoder}@fold{k}, of every encoding that has reconstructions."""
    study = config["study"]
    names = [
        f"{dataset}/{autoencoder}{fold_suffix(config, autoencoder, fold)}"
        for dataset in study["datasets"]
        for autoencoder in study["autoencoders"]
        for fold in study["folds"]
        if decodes(config, autoencoder)
    ]
    return list(dict.fromkeys(names))


def diagnosed(config: dict) -> list[str]:
    """Every encoding that a table's runs read, named as `encodings` does; none where the study has no diagnostics."""
    if not config["study"]["diagnostics"]:
        return []
    found = [cell for table in config["study"]["recipes"] for cell in cells(config, table)]
    names = [
        f"{cell['dataset']}/{cell['autoencoder']}{fold_suffix(config, cell['autoencoder'], cell['fold'])}"
        for cell in found
        if cell["autoencoder"] != "original"
    ]
    return list(dict.fromkeys(names))


def finetuned_pairs(config: dict) -> list[tuple[str, str]]:
    """(fine-tuned, base) for every fine-tuned autoencoder of the study whose base is in it too."""
    names = config["study"]["autoencoders"]
    pairs = [(name, config["autoencoders"][name].get("base")) for name in names]
    return [(name, base) for name, base in pairs if base in names]
