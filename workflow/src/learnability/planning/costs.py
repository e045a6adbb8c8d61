"""What the jobs of a plan cost: time from a measured rate, else from an estimate, else unknown; and bytes written."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ..study.array_sizes import ArraySize, encoding_bytes, packing_bytes, row_bytes, row_shape, views_bytes
from ..study.cells import efficiency_run, resolve_autoencoder
from ..study.paths import space_of_job
from ..study.recipe import Recipe
from ..study.recipes import resolve_recipe
from ..study.words import counted
from ..workflow.job_work import (
    AFTER_BUDGET,
    CLASSIFIER_RULES,
    COSTLY_RULES,
    DIAGNOSING_RULES,
    ENCODING_RULES,
    GPU_RULES,
    TRAINING_RULES,
    Work,
    describe_work,
    passes,
)
from . import networks
from .dag import Job
from .rates import CPU, Rate, Sustained
from .sizes import Size, dataset_size

LIKE = {"encode_views": "encode_dataset", "encode_latent_views": "encode_latents"}  # a rule with the same pace
UNKNOWN, SECONDS = "no rate", "seconds"
TRANSFORMED = 6  # images that one becomes: itself and its transforms in diagnostics.equivariance
READ = 5e8  # bytes of an array a second: read for its digest, and again to the device, at a gigabyte a second each
PREDICTION_BYTES = 8  # per class of a row; predictions compress little


@dataclass(frozen=True)
class Cost:
    """A job, its wall seconds (None if not known), where that number comes from, and the bytes that it writes."""

    job: Job
    kind: str
    seconds: float | None
    origin: str
    written: float


class Plan:
    """Prices the jobs of a study on one device, a GPU's name or `cpu`."""

    def __init__(self, config: dict, device: str, rates: list[Rate], sustained: dict[str, Sustained]):
        self.config, self.device, self.sustained = config, device, sustained.get(device)
        self.rates: dict[tuple[str, str, str], Rate] = {}
        for rate in rates:  # the first is the nearest
            self.rates.setdefault((rate.rule, rate.kind, rate.device), rate)
        self.size: Callable[[str], Size] = cache(lambda name: dataset_size(config, name))

    def cost(self, job: Job) -> Cost:
        if job.rule not in COSTLY_RULES:
            return Cost(job, "", 0.0, SECONDS, 0.0)
        params, array = self.params(job), self.array(job)
        work = describe_work(job.rule, params, array, job.wildcards.get("autoencoder", ""))
        seconds, origin = self.time(job, params, array, work)
        return Cost(job, work.kind, seconds, origin, self.written(job, params, array))

    def time(self, job: Job, params: dict, array: ArraySize, work: Work) -> tuple[float | None, str]:
        """Seconds and where they come from: the recipe's budget, a measured rate, or an estimate for this device."""
        if job.rule in TRAINING_RULES and (budget := params["recipe"].budget_seconds):
            return budget + self.after_budget(job, params["recipe"], array), "budget of the recipe"
        device = self.device if job.rule in GPU_RULES else CPU
        rate = self.rates.get((job.rule, work.kind, device))
        if rate := rate or self.rates.get((LIKE.get(job.rule), work.kind, device)):
            return rate.seconds_per_unit * work.units, f"{rate.origin} ({counted(rate.jobs, 'job')})"
        operations = self.operations(job, params, array) if self.sustained and job.rule in GPU_RULES else None
        if operations is None:
            return None, UNKNOWN
        if job.rule in CLASSIFIER_RULES:
            seconds = operations / self.sustained.of_classifier(params["recipe"].model)
            return seconds + self.behind_decoder(job, params, array) + self.reading(job, array), "estimate"
        return operations / self.sustained.of_autoencoder(params["entry"]["class"]), "estimate"

    def behind_decoder(self, job: Job, params: dict, array: ArraySize) -> float:
        """Seconds that a training's latents take through the first part of a decoder; 0 without one."""
        train = params["n_splits"] - 2
        # Training rows once for their moments, then with the validation rows in every epoch, and both other folds.
        return self.decoding(job, params["recipe"], array, train + passes(job.rule, params) * (train + 1) + 2)

    def decoding(self, job: Job, recipe: Recipe, array: ArraySize, folds: float) -> float:
        """Seconds that so many folds take through the decoder's blocks of a recipe; 0 without any, or if unknown."""
        name = job.wildcards["autoencoder"]
        part = recipe.decoder_blocks and networks.decoder_part(self.config, name, recipe.decoder_blocks)
        if not part:
            return 0.0
        pace = self.sustained.of_autoencoder(resolve_autoencoder(self.config, name)["class"])
        return part[0] * folds * array.images / self.config["study"]["n_splits"] / pace

    def reading(self, job: Job, array: ArraySize) -> float:
        """Seconds before a classifier's job computes, in which its array is read."""
        space = self.recipe_and_space(job)[1]
        return array.images * row_bytes(self.config, space, job.wildcards["autoencoder"]) / READ

    def seen(self, job: Job, recipe: Recipe, array: ArraySize) -> tuple[int, int] | None:
        """Channels and side of what the network reads: the array, or what the first part of a decoder makes of it."""
        if not recipe.decoder_blocks:
            return array.channels, array.side
        part = networks.decoder_part(self.config, job.wildcards["autoencoder"], recipe.decoder_blocks)
        return part and part[1:]

    def after_budget(self, job: Job, recipe: Recipe, array: ArraySize) -> float:
        """Seconds of a training beside its budget, mostly for its predictions after it; 0 on an unknown device."""
        if not self.sustained:
            return 0.0
        classes = self.size(job.wildcards["dataset"]).classes
        forward = networks.classifier_operations(recipe, *(self.seen(job, recipe, array) or array[1:]), classes)[0]
        splits = self.config["study"]["n_splits"]
        predicted = forward * AFTER_BUDGET / splits * array.images / self.sustained.of_classifier(recipe.model)
        decoded = self.decoding(job, recipe, array, splits - 2 + AFTER_BUDGET)  # moments come before the budget
        return self.reading(job, array) + predicted + decoded

    def operations(self, job: Job, params: dict, array: ArraySize) -> float | None:
        """Floating-point operations of a job; a training step counts as three forward passes. None if not known."""
        if job.rule in (*ENCODING_RULES, *DIAGNOSING_RULES, "finetune_autoencoder"):
            found = networks.autoencoder_operations(params["entry"], array.side)
            if found is None:
                return None
            both = found[0] + (found[1] if params["entry"].get("decodes", True) else 0)
            if job.rule in ENCODING_RULES:
                return both * array.images * params.get("copies", 1)
            if job.rule in DIAGNOSING_RULES:  # each image passes, and each of its transforms
                return TRANSFORMED * both * min(params["images"], array.images)
            tuning = params["entry"]["finetune"]  # the discriminator is left out
            lpips = networks.perceptual_operations(array.side) if tuning["perceptual"] == "lpips" else 0
            encoded = 1 if tuning.get("train", "all") == "decoder" else 3  # a frozen encoder has no backward pass
            return (encoded * found[0] + 3 * (found[1] + lpips)) * tuning["steps"] * tuning["batch_size"]
        recipe, size = params["recipe"], self.size(job.wildcards["dataset"])
        if job.rule == "measure_efficiency" or recipe.reconstructions == "on_the_fly":
            return None
        if (seen := self.seen(job, recipe, array)) is None:
            return None
        forward = networks.classifier_operations(recipe, *seen, size.classes)[0]
        part = array.images / params["n_splits"]  # a fold
        repeats = passes(job.rule, params)
        if job.rule in ("compute_teacher_logits", "trace_noise_curve", "score_across_spaces"):
            return forward * array.images * repeats
        train = params["n_splits"] - 2
        return forward * part * (repeats * (3 * train + 1) + 2)  # each epoch validates; at the end both other folds

    def params(self, job: Job) -> dict:
        """The parameters that Snakemake gives the job, as far as its cost depends on them."""
        names, config = job.wildcards, self.config
        if job.rule == "prepare_dataset":
            return {"entry": config["datasets"][names["dataset"]]}
        if job.rule in DIAGNOSING_RULES:
            images = config["study"]["diagnostics"]["images"]
            return {"entry": resolve_autoencoder(config, names["autoencoder"]), "images": images}
        if job.rule in (*ENCODING_RULES, "finetune_autoencoder"):
            copies = {"copies": int(names["copies"])} if "copies" in names else {}
            return {"entry": resolve_autoencoder(config, names["autoencoder"])} | copies
        recipe = resolve_recipe(config, *self.recipe_and_space(job))
        return {"recipe": recipe, "n_splits": config["study"]["n_splits"]}

    def recipe_and_space(self, job: Job) -> tuple[str, str]:
        """What a job trains or measures by, and in which space."""
        names = job.wildcards
        if "row" in names:
            cell = efficiency_run(self.config, names["row"])
            return cell["recipe"], cell["space"]
        return names["recipe"], space_of_job(names)

    def array(self, job: Job) -> ArraySize:
        """The packed array that the job reads or makes."""
        names, config = job.wildcards, self.config
        size = self.size(names["dataset"])
        if job.rule not in CLASSIFIER_RULES:
            return ArraySize(size.images, size.channels, config["image_size"])
        channels, side, _ = row_shape(config, self.recipe_and_space(job)[1], names["autoencoder"])
        return ArraySize(size.images, channels, side)

    def written(self, job: Job, params: dict, array: ArraySize) -> float:
        """Bytes of the arrays and weights that a job leaves; logs and cards are not counted."""
        config, size = self.config, self.size(job.wildcards["dataset"])
        if job.rule == "prepare_dataset":
            return array.images * packing_bytes(config, array.channels)
        if "copies" in params:
            return array.images * views_bytes(config, job.wildcards["autoencoder"], params["copies"])
        if job.rule in ENCODING_RULES:
            return array.images * encoding_bytes(config, job.wildcards["autoencoder"])
        if job.rule == "finetune_autoencoder":
            found = networks.autoencoder_operations(params["entry"], array.side)
            return 4 * found[2] if found else 0.0
        if job.rule == "compute_teacher_logits":
            return array.images * (1 - 2 / params["n_splits"]) * size.classes * 4
        if job.rule not in TRAINING_RULES:
            return 0.0
        seen = self.seen(job, params["recipe"], array) or (array.channels, array.side)
        parameters = networks.classifier_operations(params["recipe"], *seen, size.classes)[1]
        return 4 * parameters + array.images * 2 / params["n_splits"] * size.classes * PREDICTION_BYTES
