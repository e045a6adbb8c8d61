# Tests of significance, and what the encoding itself costs: cheap steps of the head node.


rule test_significance:
    input:
        study="<results>/study.json",
        metrics=run_files("metrics.json"),
        fidelity=encoding_files("fidelity.parquet"),
        autoencoders=encoding_files("autoencoder.json"),
    output:
        significance_files(TESTS),
    log:
        "<results>/logs/test_significance/significance.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        margin=config["significance"]["equivalence_margin"],
        pairs=finetuned_pairs(config),
        code=code_of("test_significance"),
    message:
        "Significance of the gap, and equivalence of reconstructions and images"
    script:
        "../scripts/test_significance.py"


rule test_groups:
    input:
        **predictions_of(cells(config)),
        study="<results>/study.json",
    output:
        cells="<results>/significance/group_level.csv",
        study="<results>/significance/study_level.csv",
    log:
        "<results>/logs/test_groups/group_level.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        pairs=finetuned_pairs(config),
        code=code_of("test_groups"),
    message:
        "Significance of the gap over groups of images"
    script:
        "../scripts/test_groups.py"


rule test_ablation:
    input:
        study="<results>/study.json",
        metrics=at_least_one(run_files("metrics.json", "table4"), "limited_to.table4"),
    output:
        "<results>/significance/ablation.csv",
    log:
        "<results>/logs/test_ablation/ablation.log",
    localrule: True
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
        **predictions_of(cells_of_gaps(config), "limited_to.gap_decomposition"),
        study="<results>/study.json",
    output:
        "<results>/significance/gap_decomposition.csv",
    log:
        "<results>/logs/decompose_gap/gap_decomposition.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        recipes=recipes_of_gaps(config),
        controls=controls_of_grids(config),
        code=code_of("decompose_gap"),
    message:
        "What the encoding itself costs: the gap without the protocol's confounds"
    script:
        "../scripts/decompose_gap.py"


rule judge_controls:
    input:
        **predictions_of(cells(config, "controls"), "controls", "names none"),
        study="<results>/study.json",
        gaps=gap_decomposition(),
    output:
        "<results>/significance/controls.csv",
    log:
        "<results>/logs/judge_controls/controls.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        comparisons=comparisons(config),
        code=code_of("judge_controls"),
    message:
        "Controls: are existing gaps found, and only those?"
    script:
        "../scripts/judge_controls.py"
