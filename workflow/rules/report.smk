# What is read: the paper's claims judged, its numbers beside ours, tests as pages, and one page of everything.


localrules:
    judge_claims,
    compare_published,
    write_summary,
    show_tests,


rule judge_claims:
    input:
        study="<results>/study.json",
        results=results_with("csv"),
        cards=cards_of_study(),
    output:
        csv="<results>/tables/claims.csv",
        md="<results>/tables/claims.md",
        html=report(
            "<results>/tables/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"table": "Claims", "shows": "What the paper says, and what this study says of it"},
        ),
        tex="<results>/tables/claims.tex",
    log:
        "<results>/logs/judge_claims/claims.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        names=all_labels(config),
        margin=config["significance"]["equivalence_margin"],
        published=file_digest(PUBLISHED),
        code=code_of("judge_claims"),
    message:
        "Claims of the paper, and what this study says of them"
    script:
        "../scripts/judge_claims.py"


rule compare_published:
    input:
        study="<results>/study.json",
        results=results_with("csv"),
        cards=cards_of_study(),
    output:
        csv="<results>/tables/published.csv",
        md="<results>/tables/published.md",
        html=report(
            "<results>/tables/published.html",
            caption="../report/published.rst",
            category="Claims",
            labels={"table": "Published", "shows": "Published numbers beside measured ones"},
        ),
        tex="<results>/tables/published.tex",
    log:
        "<results>/logs/compare_published/published.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        names=all_labels(config),
        margin=config["significance"]["equivalence_margin"],
        published=file_digest(PUBLISHED),
        code=code_of("compare_published"),
    message:
        "Published numbers beside the measured ones"
    script:
        "../scripts/compare_published.py"


rule write_summary:
    input:
        study="<results>/study.json",
        results=results_with("csv"),
        cards=cards_of_study(),
        metrics=run_files("metrics.json"),
        autoencoders=autoencoder_cards(),
        tables=results_with("html"),
        figures=figure_files(),
        claims="<results>/tables/claims.csv",
        published="<results>/tables/published.html",
    output:
        report(
            "<results>/summary.html",
            caption="../report/summary.rst",
            category="Summary",
            labels={"page": "Summary", "shows": "The whole study, and where its numbers come from"},
        ),
    log:
        "<results>/logs/write_summary/summary.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        names=all_labels(config),
        margin=config["significance"]["equivalence_margin"],
        reweighting=reweighting_epochs(),
        not_shareable=not_shareable(config),
        captions=lambda wildcards: caption_values(config),  # braces in a value are no wildcards
        differing=confounds(config),
        config_digest=config_digest(config),
        page=[file_digest(path) for path in sorted(Path(ROOT, "workflow/report").iterdir())],
        code=code_of("write_summary"),
    message:
        "Summary: one page of the whole study"
    script:
        "../scripts/write_summary.py"


rule show_tests:
    input:
        study="<results>/study.json",
        tests=tests_of_study("csv"),
        cards=cards_of_study(),
    output:
        [
            report(
                path,
                caption="../report/tests.rst",
                category="Tests",
                labels={"test": Path(path).stem.replace("_", " "), "shows": TITLES[Path(path).stem]},
            )
            for path in tests_of_study("html")
        ],
    log:
        "<results>/logs/show_tests/tests.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=all_labels(config),
        code=code_of("show_tests"),
    message:
        "Tests as pages"
    script:
        "../scripts/show_tests.py"
