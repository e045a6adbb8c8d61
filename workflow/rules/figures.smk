# Figures: cheap steps of the head node, from the files of runs, encodings, tables and tests.


localrules:
    draw_figure2,
    draw_figure3,
    draw_gaps,
    draw_noise_levels,
    draw_class_recall,
    draw_training_curves,


rule draw_figure2:
    input:
        table2="<results>/tables/table2.csv",
        gaps="<results>/significance/latent_vs_reconstruction.csv",
        tests="<results>/significance/fidelity_vs_gap.csv",
        cards=dataset_cards(),
    output:
        svg=report(
            "<results>/figures/figure2.svg",
            caption="../report/figure2.rst",
            category="Figures",
            labels={"figure": "Figure 2", "shows": "Does fidelity predict the gap?"},
        ),
        png="<results>/figures/figure2.png",
    log:
        "<results>/logs/draw_figure2/figure2.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        code=code_of("draw_figure2"),
    message:
        "Figure 2: fidelity against the gap"
    script:
        "../scripts/draw_figure2.py"


rule draw_figure3:
    input:
        cards=dataset_cards(),
        samples=dataset_files("samples.parquet"),
        images=dataset_files("images_small.npy"),
        folds=fold_files(),
        autoencoders=encoding_files("autoencoder.json"),
        reconstructions=encoding_files("reconstructions.npy"),
        fidelity=encoding_files("fidelity.parquet"),
    output:
        svg=report_if_shareable(
            "<results>/figures/figure3.svg",
            caption="../report/figure3.rst",
            category="Figures",
            labels={"figure": "Figure 3", "shows": "Reconstructions and what they lose"},
        ),
        png="<results>/figures/figure3.png",
    log:
        "<results>/logs/draw_figure3/figure3.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        folds=config["study"]["folds"],
        code=code_of("draw_figure3"),
    message:
        "Figure 3: originals, reconstructions and differences"
    script:
        "../scripts/draw_figure3.py"


rule draw_gaps:
    input:
        metrics=run_files("metrics.json"),
        tests="<results>/significance/latent_vs_reconstruction.csv",
        cards=dataset_cards(),
    output:
        svg=report(
            "<results>/figures/gaps.svg",
            caption="../report/gaps.rst",
            category="Figures",
            labels={"figure": "Gaps", "shows": "The gap per autoencoder and dataset"},
        ),
        png="<results>/figures/gaps.png",
    log:
        "<results>/logs/draw_gaps/gaps.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        code=code_of("draw_gaps"),
    message:
        "Figure: the gap of every autoencoder and dataset"
    script:
        "../scripts/draw_gaps.py"


rule draw_noise_levels:
    input:
        curves=noise_curves(),
        metrics=noise_curves("metrics.json"),
        cards=dataset_cards("table4"),
    output:
        svg=report(
            "<results>/figures/noise_levels.svg",
            caption="../report/noise_levels.rst",
            category="Figures",
            labels={"figure": "Noise levels", "shows": "Latent classifiers over the noise level"},
        ),
        png="<results>/figures/noise_levels.png",
    log:
        "<results>/logs/draw_noise_levels/noise_levels.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "table4"),
        code=code_of("draw_noise_levels"),
    message:
        "Figure: balanced accuracy over the noise level"
    script:
        "../scripts/draw_noise_levels.py"


rule draw_class_recall:
    input:
        metrics=run_files("metrics.json"),
        predictions=run_files("predictions.parquet"),
        cards=dataset_cards(),
    output:
        svg=report(
            "<results>/figures/class_recall.svg",
            caption="../report/class_recall.rst",
            category="Figures",
            labels={"figure": "Class recall", "shows": "The gap from head to tail classes"},
        ),
        png="<results>/figures/class_recall.png",
    log:
        "<results>/logs/draw_class_recall/class_recall.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        code=code_of("draw_class_recall"),
    message:
        "Figure: recall of every class, from head to tail"
    script:
        "../scripts/draw_class_recall.py"


rule draw_training_curves:
    input:
        metrics=run_files("metrics.json"),
        histories=run_files("history.csv"),
        cards=dataset_cards(),
    output:
        svg=report(
            "<results>/figures/training_curves.svg",
            caption="../report/training_curves.rst",
            category="Figures",
            labels={"figure": "Training curves", "shows": "Validation scores over the epochs"},
        ),
        png="<results>/figures/training_curves.png",
    log:
        "<results>/logs/draw_training_curves/training_curves.log",
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        reweighting=reweighting_epochs(),
        code=code_of("draw_training_curves"),
    message:
        "Figure: training curves"
    script:
        "../scripts/draw_training_curves.py"
