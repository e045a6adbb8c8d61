"""Where the files of a study lie in its results folder, and which of them a run reads: edges that its recipe makes.

Paths are relative to the results folder. `fetched` names the weights that fetch_weights brings; weights in a folder of
the user's are no input of a job.
"""

from collections.abc import Collection, Mapping
from functools import partial

from ..errors import InputError
from .encodings import fold_suffix
from .recipes import pretrained_weights, resolve_recipe, start_run, teacher_run

RUN = "runs/{dataset}/{space}/{autoencoder}/{recipe}/fold{fold}"
ACROSS = "across_spaces/{dataset}/{autoencoder}/{recipe}/fold{fold}.csv"
SEARCH = "searches/{dataset}/{autoencoder}{of_space}/{recipe}/fold{fold}"


def dataset_file(dataset: str, name: str) -> str:
    return f"datasets/{dataset}/{name}"


def encoding_file(dataset: str, autoencoder: str, name: str) -> str:
    """`autoencoder` with @fold{k}, where it is fine-tuned per fold."""
    return f"encodings/{dataset}/{autoencoder}/{name}"


def diagnostics_file(encoding: str, kind: str = "") -> str:
    """`encoding` as encodings.diagnosed names it; `kind` is "" or "_spectrum"."""
    return f"diagnostics/{encoding}{kind}.csv"


def tuned_weights(dataset: str, autoencoder: str) -> str:
    """The folder of fine-tuned weights; `autoencoder` as in an encoding."""
    return f"weights/{dataset}/{autoencoder}"


def fetched_file(name: str) -> str:
    """The record that fetch_weights writes beside the fetched files."""
    return f"weights/{name}/source.json"


def run_file(cell: dict, name: str) -> str:
    return f"{RUN}/{name}".format(**cell)


def model_of_run(cell: dict) -> dict[str, str]:
    """The trained classifier of a run."""
    return {"trained": run_file(cell, "model.safetensors"), "model": run_file(cell, "model.json")}


def files_of_run(config: dict, fetched: Collection[str], cell: dict, is_search: bool = False) -> dict[str, str]:
    """What a training, or the search before it, reads beside its dataset: an array, and what its recipe builds on."""
    recipe = resolve_recipe(config, cell["recipe"])
    files = array_of_run(config, fetched, cell)
    if cell["space"] == "latent" and not recipe.decoder_blocks:  # behind a decoder other channels are normalised
        files["channel_sums"] = files["array"].replace("latents.npy", "channel_sums.npy")
    if recipe.views and cell["space"] != "image":  # images are turned when they are drawn
        folder, _, file = files["array"].rpartition("/")
        copies = f"{folder}/views{recipe.views.copies}"
        files |= {"views": f"{copies}/{file}", "views_card": f"{copies}/autoencoder.json"}
    if recipe.reconstructions == "on_the_fly":  # for training alone: what was decoded before is the same
        files["stored"] = files["array"].replace("latents.npy", "reconstructions.npy")
    if pretrained_weights(config, recipe):
        files |= fetched_weights(fetched, recipe.model, "pretrained")
    if teacher := teacher_run(config, cell):
        files["teacher_logits"] = run_file(teacher, "teacher_logits.npy")
    if start := start_run(config, cell):
        files["start"] = run_file(start, "model.safetensors")
    if recipe.search and not is_search:
        of_space = "@reconstruction" if cell["space"] == "reconstruction" else ""
        searched = cell | {"fold": recipe.search.fold_of(cell["fold"]), "of_space": of_space}
        files["best"] = f"{SEARCH}/best.json".format(**searched)
    return files


def space_of_job(wildcards: Mapping[str, str]) -> str:
    """The space of a classifier's job by its path.

    In the path of a search, `original` has the images alone, and only reconstructions say so. Scores across spaces name
    no space: their pair goes by its run in reconstruction space, and images have the same shape.
    """
    if "space" in wildcards:
        return wildcards["space"]
    if "of_space" not in wildcards:
        return "reconstruction"
    return wildcards["of_space"].removeprefix("@") or ("image" if wildcards["autoencoder"] == "original" else "latent")


def array_of_run(config: dict, fetched: Collection[str], cell: dict) -> dict[str, str]:
    """The dataset and the packed array that a classifier reads, with the card of the autoencoder that made it.

    Raises InputError for a run that there cannot be.
    """
    if (cell["space"] == "image") != (cell["autoencoder"] == "original"):
        raise InputError(f"{cell['space']}/{cell['autoencoder']}: image space goes with `original`, and only it does")
    if cell["fold"] >= config["study"]["n_splits"]:
        raise InputError(f"fold{cell['fold']}: folds count from 0 to n_splits - 1")
    dataset = cell["dataset"]
    files = {"samples": dataset_file(dataset, "samples.parquet"), "card": dataset_file(dataset, "dataset.json")}
    if cell["space"] == "image":
        return files | {"array": dataset_file(dataset, "images_small.npy")}
    suffix = fold_suffix(config, cell["autoencoder"], cell["fold"])
    encoding = partial(encoding_file, dataset, cell["autoencoder"] + suffix)
    files |= {"array": encoding(f"{cell['space']}s.npy"), "autoencoder": encoding("autoencoder.json")}
    if resolve_recipe(config, cell["recipe"]).runs_decoder:
        weights = weights_of_autoencoder(config, fetched, dataset, cell["autoencoder"], suffix)
        files["array"] = encoding("latents.npy")
        if weights:
            files["decoder"] = weights["weights"]
    return files


def files_across(config: dict, fetched: Collection[str], cell: dict) -> dict[str, str]:
    """The images and reconstructions of a dataset, and the classifier of each by a recipe on a fold."""
    image = cell | {"space": "image", "autoencoder": "original"}
    files = array_of_run(config, fetched, cell | {"space": "reconstruction"})
    files["images"] = array_of_run(config, fetched, image)["array"]
    for run in (image, cell | {"space": "reconstruction"}):
        files |= {f"{name}_{run['space']}": path for name, path in model_of_run(run).items()}
    return files


def weights_of_autoencoder(
    config: dict, fetched: Collection[str], dataset: str, autoencoder: str, suffix: str
) -> dict[str, str]:
    """The weights that the workflow itself fine-tunes or fetches; none where they lie in a folder of the user's."""
    if "finetune" not in config["autoencoders"][autoencoder]:
        return fetched_weights(fetched, autoencoder)
    folder = tuned_weights(dataset, autoencoder + suffix)
    return {"weights": f"{folder}/diffusion_pytorch_model.safetensors", "config": f"{folder}/config.json"}


def fetched_weights(fetched: Collection[str], name: str, called: str = "weights") -> dict[str, str]:
    """The record of weights, if fetch_weights brings them; `called` so among the inputs."""
    return {called: fetched_file(name)} if name in fetched else {}
