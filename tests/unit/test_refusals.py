"""What cannot run according to the configuration alone is refused before any job, with its key."""

import pytest

from learnability.errors import InputError
from learnability.study.cells import cells, cells_of_information, shares_of_curve
from learnability.study.configuration import read_config
from learnability.study.encodings import diagnosed
from learnability.study.refusals import check_study
from tests.published import published
from tests.unit.test_readiness import PHANTOM

FOLDERS = {"label": "Mine", "format": "folders", "root": "/data"}
TABLE = {
    "label": "Mine", "format": "table", "root": "/data", "table": "a.csv", "image_column": "id", "image_path": "{id}",
    "label_column": "dx",
}  # fmt: skip
AUTOENCODER = {"label": "Mine", "role": "family", "class": "area_downsample", "channels": 3, "factor": 4}


def refusal(tmp_path, text: str) -> str:
    """The message that refuses a study file."""
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(InputError) as refused:
        check_study(read_config(tmp_path / "study.yaml"))
    return str(refused.value)


@pytest.mark.parametrize(
    ("section", "name", "entry"),
    [
        *(("datasets", name, PHANTOM) for name in ("macro", "all", "nan", "null", "true")),
        ("recipes", "table1", {"base": "latent"}),
        ("recipes", "reconstruction", {"base": "latent"}),
        ("autoencoders", "inf", AUTOENCODER),
    ],
)
def test_a_name_that_tables_use_or_cannot_hold(tmp_path, section, name, entry):
    message = refusal(tmp_path, f'{section}: {{"{name}": {entry}}}'.replace("None", "null"))
    assert message.startswith(f"{section}.{name}: tables use the name {name!r}, or read it as no text; take another")


def test_a_name_of_two_weights(tmp_path):
    message = refusal(tmp_path, f"autoencoders: {{resnet50: {AUTOENCODER}}}")
    assert message.startswith("autoencoders.resnet50: pretrained.resnet50 has this name too")


@pytest.mark.parametrize(("section", "name"), [("datasets", "isic2019"), ("autoencoders", "sd14")])
@pytest.mark.parametrize("label", ["A {b}", "A }"])
def test_braces_in_a_label(tmp_path, section, name, label):
    message = refusal(tmp_path, f'{section}: {{{name}: {{label: "{label}"}}}}')
    assert message == f"{section}.{name}.label is {label!r}; braces are wildcards to Snakemake: take them out"


def test_braces_in_the_results_folder(tmp_path):
    message = refusal(tmp_path, "results: 'results/{x}'")
    assert message == "results: results/{x}: '{' has a special meaning in paths; rename that folder"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (FOLDERS, "says which values of group_pattern are no patient, and there is no group_pattern"),
        (TABLE, "says which values of group_column are no patient, and there is no group_column"),
        (PHANTOM, "format phantom does not read it; take it out"),
    ],
)
def test_words_for_no_group_where_there_are_no_groups(tmp_path, entry, expected):
    text = f"datasets: {{mine: {entry | {'missing_groups': ['NA']}}}}"
    message = refusal(tmp_path, text)
    assert message.startswith("datasets.mine.missing_groups")
    assert expected in message


def test_two_recipes_for_one_cell_of_table_1(tmp_path):
    message = refusal(tmp_path, "study: {recipes: {table1: [image, latent, latent_resnet50]}}")
    assert message.startswith("study.recipes.table1: latent and latent_resnet50 are both of latent space")


def test_a_teacher_on_reconstructions_that_nobody_makes(tmp_path):
    recipes = "{table1: [image, distilled], table4: [], gap_decomposition: [], ablation_controls: []}"
    message = refusal(tmp_path, f"study: {{autoencoders: [random_init_8], recipes: {recipes}}}")
    assert message.startswith("recipes.distilled.distill.teacher is of reconstruction space, and random_init_8 has no")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "datasets: {Clinic: {label: A}}",
            "configuration, datasets: the name 'Clinic'; expected small letters, digits and _, a letter first: write "
            "clinic, and 'Clinic' as its `label`",
        ),
        (
            "recipes: {image: {lr: 1e-4}}",
            "configuration, recipes.image.lr: '1e-4' is a text; expected a number: in YAML a number with an exponent "
            "needs a point and a sign, write 1.0e-4",
        ),
        ("recipes: {image: {lr: 2.5E3}}", "write 2.5e+3"),
        ('image_size: "64"', "image_size: '64' is a text; expected a whole number: write 64 without quotes"),
        ("recipes: {image: {lr: -1.0}}", "recipes.image.lr: -1.0 is less than or equal to the minimum of 0"),
        ("autoencoders: {sd14: {factor: 0}}", "autoencoders.sd14.factor: 0 is less than the minimum of 1"),
        ("image_size: 64.5", "image_size: 64.5 is a number; expected a whole number"),
        ("recipes: {image: {film: 'yes'}}", "recipes.image.film: 'yes' is a text; expected true or false"),
        ("recipes: {image: {drw: 3}}", "recipes.image.drw: 3 is a whole number; expected keys with values"),
        ("datasets: {isic2019: {rooot: /data}}", "datasets.isic2019: no such key: 'rooot'; did you mean 'root'?"),
        ("datasets: {mine: {label: A, format: medmnist, root: /d}}", "datasets.mine: 'file' is missing; write it"),
        ("datasets: {isic2019: {where: {a: [b]}}}", "datasets.isic2019: 'where' cannot be here"),
        (
            "autoencoders: {mine: {label: A, role: family}}",
            "mine: neither of class and channels and factor or base and finetune here",
        ),
        (f"datasets: {{mine: {TABLE | {'label_columns': ['a', 'b']}}}}", "both of label_column or label_columns here"),
    ],
)
def test_what_the_schema_refuses_is_said_in_words(tmp_path, text, expected):
    message = refusal(tmp_path, text)
    assert expected in message
    assert "is not of type" not in message
    assert "^[a-z]" not in message


@pytest.mark.parametrize(("text", "expected"), [
    ("{teacher: nothing}", "study.diagnostics.teacher is 'nothing'; expected null or a name under pretrained: ['con"),
    ("{images: 1}", "configuration, study.diagnostics.images: "),
    ("{number: 3}", "configuration, study.diagnostics: "),
    ("256", "configuration, study.diagnostics: "),
])  # fmt: skip
def test_diagnostics_that_cannot_be_made(tmp_path, text, expected):
    assert refusal(tmp_path, f"study: {{diagnostics: {text}}}").startswith(expected)


def test_an_autoencoder_whose_table_would_be_the_spectrum_of_another(tmp_path):
    message = refusal(tmp_path, f"autoencoders: {{sd14_spectrum: {AUTOENCODER}}}")
    assert message.startswith("autoencoders.sd14_spectrum: rename it")


def test_diagnostics_of_a_study_are_null_or_have_their_values(tmp_path):
    (tmp_path / "study.yaml").write_text("study: {diagnostics: null}")
    assert diagnosed(read_config(tmp_path / "study.yaml")) == []
    config = read_config()
    assert config["study"]["diagnostics"] == {"images": 256, "teacher": None}
    found = diagnosed(config)
    assert len(found) == len(set(found)) == 4 * (5 + 1)  # the lossless control of FLUX.2's grid too
    assert {"cardium/medvae_ft", "isic2019/pixel_unshuffle_8"} <= {*found}
    config["autoencoders"]["medvae_ft"]["finetune"]["images"] = "train_rows_per_fold"
    assert {"cardium/medvae_ft@fold4"} <= {*diagnosed(config)}


@pytest.mark.parametrize(
    ("lists", "recipes", "message"),
    [
        ({"probes": ["matched"]}, {}, r"recipes.matched.loss is ldam_drw, and study.recipes.probes compares bits"),
        ({"learning_curve": ["share_5", "matched"]}, {}, r"recipes.matched.loss is ldam_drw"),
        ({"learning_curve": ["share_5", "share_10"]}, {}, r"expected each share once, and one recipe of 1"),
        (
            {"learning_curve": ["share_5", "again", "matched_cross_entropy"]},
            {"again": {"base": "share_5"}},
            r"expected each share once, and one recipe of 1",
        ),
        (
            {"learning_curve": ["slow", "matched_cross_entropy"]},
            {"slow": {"base": "share_5", "lr": 1e-5}},
            r"recipes.slow.lr: differs from matched_cross_entropy; .* differ in train_share alone",
        ),
        (
            {"learning_curve": ["begun_5", "begun"]},
            {
                "begun": {"base": "matched_cross_entropy", "start_from": "matched_cross_entropy"},
                "begun_5": {"base": "begun", "train_share": 0.05},
            },
            r"recipes.begun_5.start_from: a teacher or a start has seen all rows",
        ),
        (
            {"learning_curve": ["narrow", "matched_cross_entropy"]},
            {"narrow": {"base": "share_5", "spaces": ["latent"]}},
            r"recipes.narrow.spaces: used in \['latent'\], matched_cross_entropy in \['image', 'latent', 'reconst",
        ),
    ],
)
def test_probes_and_curves_that_do_not_compare_are_refused(lists, recipes, message):
    with pytest.raises(InputError, match=message):
        check_study(published(study={"recipes": lists}, recipes=recipes))


@pytest.mark.parametrize(
    ("spaces", "recipe", "lacking"),
    [
        (["latent", "reconstruction"], "matched", "image"),
        (["image", "latent"], "matched", "reconstruction"),
        (["image", "latent", "reconstruction"], "latent", "image"),
    ],
)
def test_scores_across_spaces_need_both_in_the_recipe_and_in_the_study(spaces, recipe, lacking):
    study = {"spaces": spaces, "recipes": {"across_spaces": [recipe], "gap_decomposition": []}}
    with pytest.raises(InputError, match=f"across_spaces: {recipe} is not used in {lacking} space of this study"):
        check_study(published(study=study))


def test_a_curve_in_the_spaces_of_a_study_may_have_recipes_of_more():
    config = published(
        study={"spaces": ["latent"], "recipes": {"learning_curve": ["narrow", "matched_cross_entropy"]}},
        recipes={"narrow": {"base": "share_5", "spaces": ["latent"]}},
    )
    check_study(config)


def test_the_probes_and_the_curve_that_the_configuration_proposes_are_taken_and_are_so_many_runs():
    ladder = ["probe_linear", "probe_mlp", "probe_attention", "probe_cnn", "matched_cross_entropy"]
    curve = ["share_5", "share_10", "share_25", "share_50", "matched_cross_entropy"]
    config = published(study={"recipes": {"probes": ladder, "learning_curve": curve}})
    check_study(config)
    assert len(cells(config, "probes")) == len(cells(config, "learning_curve")) == 4 * 5 * 5 * (1 + 2 * 5)
    assert shares_of_curve(config) == dict(zip(curve, (0.05, 0.1, 0.25, 0.5, 1.0), strict=True))
    assert cells_of_information(config) == cells(config, "probes")  # the top of the one is the end of the other
    alone = published(study={"recipes": {"learning_curve": curve}})
    assert {cell["recipe"] for cell in cells_of_information(alone)} == {"matched_cross_entropy"}
    assert cells_of_information(published()) == []
