# What is read: the paper's claims judged, its numbers beside ours, tests as pages, and one page of everything.
from learnability.storage.contracts import file_digest
from learnability.study.configuration import read_config
from learnability.study.presentation import all_labels, caption_values, changed_values, config_digest, confounds
from learnability.tables.tests import TITLES

PAPER_NUMBERS = Path(ROOT, "workflow/resources/published.csv")  # the paper's numbers


rule judge_claims:
    input:
        study="<results>/study.json",
        results=results_with("csv"),
        cards=cards_of_study(),
    output:
        **table_outputs("claims", "Claims", "What the paper says, and what this study says of it", "Claims"),
    log:
        "<results>/logs/judge_claims/claims.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        names=all_labels(config),
        margin=config["significance"]["equivalence_margin"],
        published=file_digest(PAPER_NUMBERS),
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
        **table_outputs("published", "Published", "Published numbers beside measured ones", "Claims"),
    log:
        "<results>/logs/compare_published/published.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        names=all_labels(config),
        margin=config["significance"]["equivalence_margin"],
        published=file_digest(PAPER_NUMBERS),
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
        searches=searches_of_study(),
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
    localrule: True
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
        changed=lambda wildcards: changed_values(config, read_config()),  # braces in a value are no wildcards
        page=[file_digest(path) for path in sorted(Path(ROOT, "workflow/report").iterdir())],
        code=code_of("write_summary"),
    message:
        "Summary: one page of the whole study"
    script:
        "../scripts/write_summary.py"


rule show_tests:
    input:
        study="<results>/study.json",
        tests=tests_of_study(),
        cards=cards_of_study(),
    output:
        [
            report(
                path,
                caption="../report/tests.rst",
                category="Tests",
                labels={"test": Path(path).stem.replace("_", " "), "shows": TITLES[Path(path).stem]},
            )
            for path in test_pages()
        ],
    log:
        "<results>/logs/show_tests/tests.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=all_labels(config),
        code=code_of("show_tests"),
    message:
        "Tests as pages"
    script:
        "../scripts/show_tests.py"


rule show_controls:
    input:
        controls="<results>/significance/controls.csv",
        cards=dataset_cards("controls"),
    output:
        page=report(
            "<results>/significance/controls.html",
            caption="../report/controls.rst",
            category="Controls",
            labels={"test": "controls", "shows": "Whether existing gaps are found, and only those"},
        ),
        words="<results>/controls.rst",
    log:
        "<results>/logs/show_controls/controls.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=all_labels(config),
        code=code_of("show_controls"),
    message:
        "Controls as a page"
    script:
        "../scripts/show_controls.py"
