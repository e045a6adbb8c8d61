# Cheap steps of the head node. Everything here is computed from the files of the runs and encodings.


localrules:
    record_study,
    make_table1,
    make_table2,
    test_significance,


rule record_study:
    output:
        "<results>/study.json",
    log:
        "<results>/logs/record_study/study.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        content=content(config),
    script:
        "../scripts/record_study.py"


rule make_table1:
    input:
        study="<results>/study.json",
        metrics=run_files("metrics.json"),
        cards=dataset_cards(),
        tests=tests_in_table1(),
    output:
        csv="<results>/tables/table1.csv",
        md="<results>/tables/table1.md",
        html=report(
            "<results>/tables/table1.html",
            caption="../report/table1.rst",
            category="Tables",
            labels={"table": "Table 1", "shows": "The learnability gap"},
        ),
        tex="<results>/tables/table1.tex",
    log:
        "<results>/logs/make_table1/table1.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        folds=config["study"]["folds"],
        with_sd=config["tables"]["table1"]["sd"],
        footnotes=lambda wildcards: footnotes(config, "table1"),  # braces in a note are no wildcards
        code=code_of("make_table1"),
    message:
        "Table 1: the learnability gap"
    script:
        "../scripts/make_table1.py"


rule make_table2:
    input:
        study="<results>/study.json",
        fidelity=some(encoding_files("fidelity.parquet"), "autoencoders", "names none with a decoder"),
        autoencoders=encoding_files("autoencoder.json"),
        cards=dataset_cards(),
    output:
        csv="<results>/tables/table2.csv",
        md="<results>/tables/table2.md",
        html=report(
            "<results>/tables/table2.html",
            caption="../report/table2.rst",
            category="Tables",
            labels={"table": "Table 2", "shows": "Fidelity of reconstructions"},
        ),
        tex="<results>/tables/table2.tex",
    log:
        "<results>/logs/make_table2/table2.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        footnotes=lambda wildcards: footnotes(config, "table2"),  # braces in a note are no wildcards
        code=code_of("make_table2"),
    message:
        "Table 2: reconstruction fidelity"
    script:
        "../scripts/make_table2.py"


rule test_significance:
    input:
        study="<results>/study.json",
        metrics=run_files("metrics.json"),
        fidelity=encoding_files("fidelity.parquet"),
        autoencoders=encoding_files("autoencoder.json"),
    output:
        significance_files(),
    log:
        "<results>/logs/test_significance/significance.log",
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
