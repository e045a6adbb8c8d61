# Parameters of the rules: the values that a job gets, by its wildcards.
#
# A job never gets the configuration: `params` are all values that its script uses, and Snakemake runs it again when one
# of them changes. Values that change no result (folders of this machine, names, how many jobs share a search) are not
# recorded: Snakemake leaves out parameters whose function asks for `threads`.
import functools

from learnability import registry
from learnability.autoencoders.families.own_class import source_files
from learnability.autoencoders.finetuning.lpips_heads import heads_file
from learnability.storage.contracts import digest, file_digest
from learnability.study.entries import as_encoder, recorded, unrecorded
from learnability.workflow.identity import autoencoder_identity, pretrained_identity
from learnability.workflow.provenance import code_digest
from learnability.study.recipes import pretrained_weights
from learnability.study.cells import resolve_autoencoder


def recorded_of(find):
    """A parameter: what results depend on of the entry that `find` gives for the wildcards; None without one."""
    return lambda wildcards: recorded(entry) if (entry := find(wildcards)) else None


def unrecorded_of(find):
    """A parameter: the rest of that entry."""
    return lambda wildcards, threads: unrecorded(entry) if (entry := find(wildcards)) else None


def weights_of(wildcards):
    """Which weights an autoencoder has; None where they are an input of the job, fine-tuned by the workflow."""
    name = wildcards.autoencoder
    return None if "finetune" in config["autoencoders"][name] else identity_of(name)


def weights_of_tuning(wildcards):
    """Which weights a fine-tuning starts from, and which say how far apart two images are."""
    found = {"base": identity_of(config["autoencoders"][wildcards.autoencoder]["base"])}
    if backbone := backbone_of(wildcards):
        features = pretrained_identity(backbone, weights_folder(BACKBONE))
        found |= {"backbone": features, "heads": (path := heads_file()) and file_digest(path)}
    return found


def weights_of_diagnosis(wildcards):
    """Which weights an autoencoder has, and with a teacher which that has."""
    found, teacher = weights_of(wildcards), teacher_of(wildcards)
    if teacher is None:
        return found
    folder = weights_folder(diagnostics_of_study()["teacher"])
    return {"autoencoder": found, "teacher": pretrained_identity(teacher, folder)}


def weights_of_start(wildcards):
    """Which weights a training starts from; None where it starts from random ones."""
    return pretrained_identity(start_of(wildcards), weights_folder(recipe_of(wildcards).model))


@functools.cache
def identity_of(autoencoder):
    return autoencoder_identity(resolve_autoencoder(config, autoencoder), weights_folder(autoencoder))


def weights_folder(name):
    """Where fetch_weights puts what it brings."""
    return Path(config["results"], paths.fetched_file(name)).parent


def notes_of(table):
    """A parameter: the footnotes of a table, given by a function because braces in a note are no wildcards."""
    return lambda wildcards: footnotes(config, table)


def dataset_of(wildcards):
    return config["datasets"][wildcards.dataset]


def splits_of_packing(wildcards):
    """How many folds there are, where the packed images depend on it: `drop` leaves out classes too rare for them."""
    drops = config["datasets"][wildcards.dataset]["rare_classes"] == "drop"
    return config["study"]["n_splits"] if drops else None


def encoder_of(wildcards):
    """The autoencoder of a job as it encodes and decodes."""
    return as_encoder(resolve_autoencoder(config, wildcards.autoencoder))


def decoder_of(wildcards):
    """That autoencoder, where a training passes latents through its decoder; else None."""
    return encoder_of(wildcards) if recipe_of(wildcards).runs_decoder else None


def tuned_of(wildcards):
    """The autoencoder of a job that fine-tunes it."""
    return resolve_autoencoder(config, wildcards.autoencoder)


def diagnostics_of_study():
    """What the study says of its diagnostics."""
    if part := config["study"]["diagnostics"]:
        return part
    raise WorkflowError("study.diagnostics is null: it says how encodings are described; write `diagnostics: {}`")


def teacher_of(wildcards):
    """The `pretrained` entry whose features latents are compared with, or None."""
    return (name := diagnostics_of_study()["teacher"]) and config["pretrained"][name]


def backbone_of(wildcards):
    """The `pretrained` entry whose features a fine-tuning compares, or None."""
    return config["pretrained"][BACKBONE] if uses_lpips(config["autoencoders"][wildcards.autoencoder]) else None


def recipe_of(wildcards):
    cell = cell_of(wildcards)
    return recipe_named(cell["recipe"], cell["space"])


@functools.cache  # a graph calls it thousands of times
def recipe_named(name, space):
    return as_workflow_error(resolve_recipe, config, name, space)


def recipe_values(wildcards):
    return recipe_of(wildcards).recorded()


def start_of(wildcards):
    """The `pretrained` entry that a training starts from, or None."""
    return pretrained_weights(config, recipe_of(wildcards))


def teacher_scale(wildcards):
    """The factor between the teacher's logits and those of cross-entropy; 1 without a teacher."""
    distill = recipe_of(wildcards).distill
    return resolve_recipe(config, distill.teacher.recipe).logit_scale if distill else 1.0


def seed_of_fold(wildcards):
    return recipe_of(wildcards).seed_of(config["seed"], int(wildcards.fold))


# ---- The code of a job: its script, the imports of that, and the modules that its values name ----


digest_of = functools.cache(code_digest)  # equal for jobs of one rule with the same modules


def code_of(script, *modules_of):
    """A parameter: the digest of the code; each of `modules_of` gives modules by the wildcards."""
    return lambda wildcards: digest_of(script, tuple(name for modules in modules_of for name in modules(wildcards)))


def code_with_autoencoder(script):
    """As code_of, of what an autoencoder passes: a class of the user's own is code too."""

    def found(wildcards):
        entry, code = encoder_of(wildcards), code_of(script, modules_of_encoder)(wildcards)
        own = source_files(entry["class"])[0] if ":" in entry["class"] else []
        return digest([code, *map(file_digest, own)]) if own else code

    return found


def modules_of_format(wildcards):
    return [registry.find("datasets.*.format", config["datasets"][wildcards.dataset]["format"])]


def modules_of_encoder(wildcards):
    return [registry.module_of_class(encoder_of(wildcards))]


def modules_of_finetuning(wildcards):
    return [registry.module_of_class(tuned_of(wildcards))]


def modules_of_training(wildcards):
    return registry.modules_of_training(recipe_of(wildcards))


def modules_of_network(wildcards):
    return registry.modules_of_network(recipe_of(wildcards))


def modules_of_decoding(wildcards):
    """Of the decoder, where a training passes latents through it."""
    return modules_of_encoder(wildcards) if recipe_of(wildcards).runs_decoder else []
