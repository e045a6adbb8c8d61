# Table 4 and what goes with it, and Table 3: cheap steps of the head node, like those of tables.smk.


localrules:
    make_table3,
    make_table4,
    make_ablation_controls,
    test_ablation,
    decompose_gap,


rule make_table3:
    input:
        study="<results>/study.json",
        rows=some(efficiency_files(), "efficiency"),
        cards=efficiency_cards(),
    output:
        csv="<results>/tables/table3.csv",
        md="<results>/tables/table3.md",
        html=report(
            "<results>/tables/table3.html",
            caption="../report/table3.rst",
            category="Tables",
            labels={"table": "Table 3", "shows": "Efficiency in one time budget"},
        ),
        tex="<results>/tables/table3.tex",
    log:
        "<results>/logs/make_table3/table3.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "table3"),
        footnotes=lambda wildcards: footnotes(config, "table3"),  # braces in a note are no wildcards
        code=code_of("make_table3"),
    message:
        "Table 3: what latents save, and what they reach within one budget"
    script:
        "../scripts/make_table3.py"


rule make_table4:
    input:
        study="<results>/study.json",
        metrics=some(run_files("metrics.json", "table4"), "limited_to.table4"),
        cards=dataset_cards("table4"),
        tests="<results>/significance/ablation.csv",
    output:
        csv="<results>/tables/table4.csv",
        md="<results>/tables/table4.md",
        html=report(
            "<results>/tables/table4.html",
            caption="../report/table4.rst",
            category="Tables",
            labels={"table": "Table 4", "shows": "What narrows the gap"},
        ),
        tex="<results>/tables/table4.tex",
    log:
        "<results>/logs/make_table4/table4.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "table4"),
        folds=config["study"]["folds"],
        rows=rows_of_table4(config),
        searched=searched_rows(config),
        with_sd=config["tables"]["table4"]["sd"],
        footnotes=lambda wildcards: footnotes(config, "table4"),  # braces in a note are no wildcards
        code=code_of("make_table4"),
    message:
        "Table 4: what distillation, search and noise conditioning gain"
    script:
        "../scripts/make_table4.py"


rule make_ablation_controls:
    input:
        study="<results>/study.json",
        metrics=some(run_files("metrics.json", "ablation_controls"), "limited_to.ablation_controls"),
        cards=dataset_cards("ablation_controls"),
    output:
        csv="<results>/tables/ablation_controls.csv",
        md="<results>/tables/ablation_controls.md",
        html=report(
            "<results>/tables/ablation_controls.html",
            caption="../report/ablation_controls.rst",
            category="Tables",
            labels={"table": "Ablation controls", "shows": "What does not make the gap go away"},
        ),
        tex="<results>/tables/ablation_controls.tex",
    log:
        "<results>/logs/make_ablation_controls/ablation_controls.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "ablation_controls"),
        folds=config["study"]["folds"],
        rows=[(space, recipe, name) for name, space, recipe in columns(config, "ablation_controls")],
        with_sd=config["tables"]["ablation_controls"]["sd"],
        footnotes=lambda wildcards: footnotes(config, "ablation_controls"),  # braces in a note are no wildcards
        code=code_of("make_ablation_controls"),
    message:
        "What does not make the gap go away"
    script:
        "../scripts/make_ablation_controls.py"


rule test_ablation:
    input:
        study="<results>/study.json",
        metrics=some(run_files("metrics.json", "table4"), "limited_to.table4"),
    output:
        "<results>/significance/ablation.csv",
    log:
        "<results>/logs/test_ablation/ablation.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        rows=rows_of_table4(config),
        code=code_of("test_ablation"),
    message:
        "Significance of every row of Table 4"
    script:
        "../scripts/test_ablation.py"


rule decompose_gap:
    input:
        study="<results>/study.json",
        metrics=some([run_file(cell, "metrics.json") for cell in cells_of_gaps(config)], "limited_to.gap_decomposition"),
    output:
        "<results>/significance/gap_decomposition.csv",
    log:
        "<results>/logs/decompose_gap/gap_decomposition.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        recipes=recipes_of_gaps(config),
        controls={name: control for name, control in controls_of_grids(config).items() if control},
        code=code_of("decompose_gap"),
    message:
        "What the encoding itself costs: the gap without the protocol's confounds"
    script:
        "../scripts/decompose_gap.py"
