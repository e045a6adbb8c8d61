# The tables of what was measured: cheap steps of the head node, like tests, figures and pages.
#
# A further table is a line of TABLES, a rule here or beside what it shows, a script of the rule's name, and a module of
# tables/.

# By name, what each table shows; a study that has none of it does not have the table.
TABLES = {
    "gap": tests_in_table1,
    "gap_by_frequency": tests_in_table1,
    "table1": lambda: cells(config),
    "table2": lambda: encodings(config),
    "table3": lambda: efficiency(config),
    "table4": lambda: cells(config, "table4"),
    "table5": lambda: diagnosed(config),
    "table6": lambda: cells(config, "remedies"),
    "ablation_controls": lambda: cells(config, "ablation_controls"),
    "decoder_depth": lambda: cells(config, "decoder_depth"),
    "across_spaces": lambda: scores_across(),
    "probes": lambda: cells(config, "probes"),
    "information": lambda: cells_of_information(config),
    "learning_curve": lambda: cells(config, "learning_curve"),
}


rule record_study:
    output:
        "<results>/study.json",
    log:
        "<results>/logs/record_study/study.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        content=study_lists(config) | {"labels": labels_with_controls(config)},
    script:
        "../scripts/record_study.py"


rule make_table1:
    input:
        study="<results>/study.json",
        metrics=run_files("metrics.json"),
        cards=dataset_cards(),
        tests=tests_in_table1(),
    output:
        **table_outputs("table1", "Table 1", "The learnability gap"),
    log:
        "<results>/logs/make_table1/table1.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        folds=config["study"]["folds"],
        with_sd=config["tables"]["table1"]["sd"],
        metrics=config["tables"]["table1"]["metrics"],
        reweighting=reweighting_epochs(),
        footnotes=notes_of("table1"),
        code=code_of("make_table1"),
    message:
        "Table 1: the learnability gap"
    script:
        "../scripts/make_table1.py"


rule make_gap:
    input:
        study="<results>/study.json",
        table1="<results>/tables/table1.csv",
        tests=significance_files(GAP_TESTS),
        cards=dataset_cards(),
    output:
        **table_outputs("gap", "The gap", "The gap of every autoencoder and dataset, with its interval"),
    log:
        "<results>/logs/make_gap/gap.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        footnotes=lambda wildcards: finetuning_notes(config, config["study"]["autoencoders"]),
        code=code_of("make_gap"),
    message:
        "The gap of every autoencoder and dataset, in one small table"
    script:
        "../scripts/make_gap.py"


rule make_gap_by_frequency:
    input:
        **predictions_of(runs_by_frequency()),
        study="<results>/study.json",
    output:
        **table_outputs("gap_by_frequency", "The gap by frequency", "The gap on frequent, middle and rare classes"),
    log:
        "<results>/logs/make_gap_by_frequency/gap_by_frequency.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        recipes=recipes_of_gaps(config),
        decomposed=decomposed(config),
        controls=controls_of_grids(config),
        footnotes=lambda wildcards: finetuning_notes(config, config["study"]["autoencoders"]),
        code=code_of("make_gap_by_frequency"),
    message:
        "The gap on frequent, middle and rare classes"
    script:
        "../scripts/make_gap_by_frequency.py"


rule make_table2:
    input:
        study="<results>/study.json",
        fidelity=at_least_one(encoding_files("fidelity.parquet"), "autoencoders", "names none with a decoder"),
        autoencoders=encoding_files("autoencoder.json"),
        cards=dataset_cards(),
    output:
        **table_outputs("table2", "Table 2", "Fidelity of reconstructions"),
    log:
        "<results>/logs/make_table2/table2.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        footnotes=notes_of("table2"),
        code=code_of("make_table2"),
    message:
        "Table 2: reconstruction fidelity"
    script:
        "../scripts/make_table2.py"


rule make_table3:
    input:
        study="<results>/study.json",
        rows=at_least_one(efficiency_files(), "efficiency"),
        cards=efficiency_cards(),
    output:
        **table_outputs("table3", "Table 3", "Efficiency in one time budget"),
    log:
        "<results>/logs/make_table3/table3.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "table3"),
        footnotes=notes_of("table3"),
        code=code_of("make_table3"),
    message:
        "Table 3: what latents save, and what they reach within one budget"
    script:
        "../scripts/make_table3.py"


rule make_table4:
    input:
        study="<results>/study.json",
        metrics=at_least_one(run_files("metrics.json", "table4"), "limited_to.table4"),
        cards=dataset_cards("table4"),
        tests="<results>/significance/ablation.csv",
    output:
        **table_outputs("table4", "Table 4", "What narrows the gap"),
    log:
        "<results>/logs/make_table4/table4.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "table4"),
        folds=config["study"]["folds"],
        rows=rows_of_table4(config),
        searched=searched_rows(config),
        with_sd=config["tables"]["table4"]["sd"],
        footnotes=notes_of("table4"),
        code=code_of("make_table4"),
    message:
        "Table 4: what distillation, search and noise conditioning gain"
    script:
        "../scripts/make_table4.py"


rule make_ablation_controls:
    input:
        study="<results>/study.json",
        metrics=at_least_one(run_files("metrics.json", "ablation_controls"), "limited_to.ablation_controls"),
        cards=dataset_cards("ablation_controls"),
    output:
        **table_outputs("ablation_controls", "Ablation controls", "What does not make the gap go away"),
    log:
        "<results>/logs/make_ablation_controls/ablation_controls.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "ablation_controls"),
        folds=config["study"]["folds"],
        rows=[(space, recipe, name) for name, space, recipe in columns(config, "ablation_controls")],
        with_sd=config["tables"]["ablation_controls"]["sd"],
        footnotes=notes_of("ablation_controls"),
        code=code_of("make_ablation_controls"),
    message:
        "What does not make the gap go away"
    script:
        "../scripts/make_ablation_controls.py"
