# The files of the study as lists: the inputs of tables, tests and figures, and what the study makes.
from learnability.study.presentation import not_shareable

TABLE_FORMATS = ["csv", "md", "html", "tex"]
TESTS = ["latent_vs_reconstruction", "wilcoxon", "equivalence", "finetuning", "fidelity_vs_gap"]
GAP_TESTS = ["latent_vs_reconstruction", "group_level"]  # over folds, and over groups
GROUP_TESTS = ["group_level", "study_level"]


def run_files(name, table="table1"):
    """One file of every run of a table."""
    return in_results(paths.run_file(cell, name) for cell in cells(config, table))


def metrics_by_target():
    """What a training makes, by the targets that name it: of a dataset, and of one space and autoencoder of it."""
    found = {}
    for cell in cells(config):
        for name in (cell["dataset"], "{dataset}/{space}/{autoencoder}".format(**cell)):
            found.setdefault(f"train/{name}", []).append(paths.run_file(cell, "metrics.json"))
    return {name: in_results(files) for name, files in found.items()}


def searches_of_study():
    """What every search of the study found."""
    found = (paths.files_of_run(config, fetched(), cell).get("best") for cell in all_cells(config))
    return in_results(list(dict.fromkeys(filter(None, found))))


def scores_across():
    """The scores of every pair of classifiers on each other's images."""
    return in_results(paths.ACROSS.format(**pair) for pair in pairs_across(config))


def noise_curves(name="noise_curve.parquet"):
    """Scores over the noise level of every run of Table 4 that was trained with noise, or another file of these."""
    noisy = [cell for cell in cells(config, "table4") if resolve_recipe(config, cell["recipe"]).noise]
    return in_results(paths.run_file(cell, name) for cell in noisy)


def runs_by_frequency():
    """Every run of Table 1 and of the gap's decomposition, each once."""
    return each_once(cells(config) + cells(config, "gap_decomposition"))


def predictions_of(runs, *refusal):
    """Inputs by name: what these runs say of every image, and the images; `refusal` as in at_least_one."""
    names = {cell["dataset"] for cell in runs}
    names = [name for name in config["study"]["datasets"] if name in names]
    metrics = in_results(paths.run_file(cell, "metrics.json") for cell in runs)
    return {
        "metrics": at_least_one(metrics, *refusal) if refusal else metrics,
        "predictions": in_results(paths.run_file(cell, "predictions.parquet") for cell in runs),
        "cards": dataset_files("dataset.json", datasets=names),
        "samples": dataset_files("samples.parquet", datasets=names),
        "folds": fold_files(names),
    }


def encoding_files(name):
    """One file of every encoding that has reconstructions."""
    return collect("<results>/encodings/{encoding}/{name}", encoding=encodings(config), name=name)


def encodings_of_remedies(name):
    """One file of every encoding whose latents a remedy is tried on."""
    latent = [cell for cell in cells(config, "remedies") if cell["space"] == "latent"]
    names = [fold_suffix(config, cell["autoencoder"], cell["fold"]) for cell in latent]
    found = [
        paths.encoding_file(cell["dataset"], cell["autoencoder"] + suffix, name)
        for cell, suffix in zip(latent, names, strict=True)
    ]
    return in_results(list(dict.fromkeys(found)))


def dataset_files(name, table="table1", datasets=None):
    """One file of every dataset of a table, or of these datasets."""
    names = scope(config, table)["datasets"] if datasets is None else datasets
    return collect("<results>/datasets/{dataset}/{name}", dataset=names, name=name)


def fold_files(datasets):
    return collect("<results>/folds/{dataset}.parquet", dataset=datasets)


def dataset_cards(table="table1"):
    return dataset_files("dataset.json", table)


def efficiency_files():
    """The measurements of every row of Table 3."""
    part = efficiency(config) or {"rows": []}
    return [f"<results>/efficiency/{part['dataset']}/{part['autoencoder']}/{row}.csv" for row in part["rows"]]


def efficiency_cards():
    part = efficiency(config)
    return [f"<results>/datasets/{part['dataset']}/dataset.json"] if part else []


def reweighting_epochs():
    """By space the epoch after which Table 1's trainings are re-weighted."""
    recipes = {space: resolve_recipe(config, recipe) for _, space, recipe in columns(config, "table1")}
    return {space: recipe.drw.after_epoch for space, recipe in recipes.items() if recipe.loss == "ldam_drw"}


def table_outputs(name, table, shows, category="Tables"):
    """What makes a table writes the CSV, and to be read Markdown, HTML (in the report) and LaTeX."""
    html = report(
        f"<results>/tables/{name}.html",
        caption=f"../report/{name}.rst",
        category=category,
        labels={"table": table, "shows": shows},
    )
    return {extension: f"<results>/tables/{name}.{extension}" for extension in TABLE_FORMATS} | {"html": html}


def table_files(name):
    return collect("<results>/tables/{name}.{extension}", name=name, extension=TABLE_FORMATS)


# ---- What the study makes ----


def tables_of_study():
    """The files of every table of what was measured."""
    return table_files([name for name, made_of in TABLES.items() if made_of()])


def significance_files(tests=(*TESTS, *GROUP_TESTS)):
    return collect("<results>/significance/{test}.csv", test=tests)


def tests_of_study():
    """Every file of tests that the study makes."""
    further = {"ablation": cells(config, "table4"), "gap_decomposition": cells(config, "gap_decomposition")}
    further |= {"remedies": cells(config, "remedies"), "gap_by_share": gap_by_share()}
    further |= {"diagnostics_vs_gap": tests_of_diagnostics()}
    return significance_files() + [f"<results>/significance/{name}.csv" for name, runs in further.items() if runs]


def tests_of_diagnostics():
    """How diagnostics go with the gap; nothing where the study measures no gap or has no diagnostics."""
    return ["<results>/significance/diagnostics_vs_gap.csv"] if tests_in_table1() and diagnosed(config) else []


def gaps_in_groups():
    """Where the gap of every autoencoder and dataset is; nothing where the study measures none."""
    return significance_files(["group_level"]) if tests_in_table1() else []


def gap_decomposition():
    """What of each gap is the encoding's; nothing where the study does not decompose gaps."""
    return significance_files(["gap_decomposition"]) if cells(config, "gap_decomposition") else []


def gap_by_share():
    """The gap at every point of the learning curve; nothing where no autoencoder of it has both sides."""
    return significance_files(["gap_by_share"]) if gaps_of_curve(config) else []


def diagnosed_cards():
    """The card of every encoding that is diagnosed, in the order of its files."""
    return [f"<results>/encodings/{name}/autoencoder.json" for name in diagnosed(config)]


def controls_of_study(*files):
    """These files of the verdicts on the study's controls; nothing where it has none."""
    return [f"<results>/{file}" for file in files if cells(config, "controls")]


def tests_in_table1():
    """What the marks of Table 1 say; nothing where the study has not both of the spaces that are compared."""
    both = {"latent", "reconstruction"} <= set(config["study"]["spaces"])
    return collect("<results>/significance/{test}.csv", test=GAP_TESTS) if both else []


def figure_outputs(name, figure, shows, embedded=True):
    """What draws a figure writes SVG and PNG; report.html has it unless its images must not be passed on."""
    svg = f"<results>/figures/{name}.svg"
    if embedded:
        svg = report(
            svg, caption=f"../report/{name}.rst", category="Figures", labels={"figure": figure, "shows": shows}
        )
    return {"svg": svg, "png": f"<results>/figures/{name}.png"}


def figure_files():
    """Every figure that the study has runs for."""
    names = [*(["gaps"] if tests_in_table1() else []), *(["figure2"] if encodings(config) else [])]
    names += ["gap_decomposition"] if cells(config, "gap_decomposition") else []
    names += ["figure3", "class_recall", "training_curves"]
    names += ["noise_levels"] if noise_curves() else []
    names += ["spectra"] if diagnosed(config) else []
    names += ["diagnostics_vs_gap"] if tests_of_diagnostics() else []
    names += ["learning_curves"] if cells(config, "learning_curve") else []
    names += ["decoder_depth"] if cells(config, "decoder_depth") else []
    names += ["remedies"] if cells(config, "remedies") else []
    return collect("<results>/figures/{name}.{extension}", name=names, extension=["svg", "png"])


def files_of_study():
    """Everything that `all` makes."""
    pages = test_pages() + controls_of_study("significance/controls.html", "controls.rst") + ["<results>/summary.html"]
    return files_of_results() + diagnostics_files() + table_files(["claims", "published"]) + pages


def files_of_results():
    """Tables, tests and figures of everything that was measured."""
    return (
        tables_of_study()
        + tests_of_study()
        + controls_of_study("significance/controls.csv")
        + noise_curves()
        + figure_files()
    )


def diagnostics_files(*kinds):
    """The files of every encoding that is diagnosed: of each kind, "" or "_spectrum", or of both."""
    kinds = kinds or ("", "_spectrum")
    return in_results(paths.diagnostics_file(name, kind) for name in diagnosed(config) for kind in kinds)


def results_with(extension):
    """Tables and tests as CSV, or tables as HTML."""
    return [path for path in files_of_results() if path.endswith(f".{extension}")]


def test_pages():
    """Every file of tests as a page."""
    return [path.replace(".csv", ".html") for path in tests_of_study()]


def cards_of_study():
    """The cards of all datasets that tables and tests are made from."""
    return list(dict.fromkeys(dataset_cards() + efficiency_cards()))


def autoencoder_cards():
    """The card of every encoding that Table 1 reads."""
    cards = [paths.array_of_run(config, fetched(), cell).get("autoencoder") for cell in cells(config)]
    return in_results(list(dict.fromkeys(filter(None, cards))))
