# Figures: cheap steps of the head node, from the files of runs, encodings, tables and tests; those of diagnostics stand
# with these.


rule draw_figure2:
    input:
        table2="<results>/tables/table2.csv",
        gaps="<results>/significance/latent_vs_reconstruction.csv",
        tests="<results>/significance/fidelity_vs_gap.csv",
        cards=dataset_cards(),
    output:
        **figure_outputs("figure2", "Figure 2", "Does fidelity predict the gap?"),
    log:
        "<results>/logs/draw_figure2/figure2.log",
    localrule: True
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
        folds=fold_files(config["study"]["datasets"]),
        autoencoders=encoding_files("autoencoder.json"),
        reconstructions=encoding_files("reconstructions.npy"),
        fidelity=encoding_files("fidelity.parquet"),
    output:
        **figure_outputs(
            "figure3", "Figure 3", "Reconstructions and what they lose", embedded=not not_shareable(config)
        ),
    log:
        "<results>/logs/draw_figure3/figure3.log",
    localrule: True
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
        gaps="<results>/tables/gap.csv",
        decomposition=gap_decomposition(),
        controls=controls_of_study("significance/controls.csv"),
        cards=dataset_cards(),
    output:
        **figure_outputs("gaps", "Gaps", "The gap, and what of it is the encoding's"),
    log:
        "<results>/logs/draw_gaps/gaps.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels_with_controls(config),
        code=code_of("draw_gaps"),
    message:
        "Figure: the gap of every autoencoder and dataset, and what of it is the encoding's"
    script:
        "../scripts/draw_gaps.py"


rule draw_gap_decomposition:
    input:
        decomposition="<results>/significance/gap_decomposition.csv",
        cards=dataset_cards("gap_decomposition"),
    output:
        **figure_outputs("gap_decomposition", "Parts of the gap", "What of the gap is the encoding's"),
    log:
        "<results>/logs/draw_gap_decomposition/gap_decomposition.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        code=code_of("draw_gap_decomposition"),
    message:
        "Figure: what of the gap is the encoding's"
    script:
        "../scripts/draw_gap_decomposition.py"


rule draw_noise_levels:
    input:
        curves=noise_curves(),
        metrics=noise_curves("metrics.json"),
        cards=dataset_cards("table4"),
    output:
        **figure_outputs("noise_levels", "Noise levels", "Latent classifiers over the noise level"),
    log:
        "<results>/logs/draw_noise_levels/noise_levels.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "table4"),
        code=code_of("draw_noise_levels"),
    message:
        "Figure: balanced accuracy over the noise level"
    script:
        "../scripts/draw_noise_levels.py"


rule draw_decoder_depth:
    input:
        table="<results>/tables/decoder_depth.csv",
        cards=dataset_cards("decoder_depth"),
    output:
        **figure_outputs("decoder_depth", "Decoder's depth", "Where in the decoder the gap closes"),
    log:
        "<results>/logs/draw_decoder_depth/decoder_depth.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        code=code_of("draw_decoder_depth"),
    message:
        "Figure: balanced accuracy over the decoder's depth"
    script:
        "../scripts/draw_decoder_depth.py"


rule draw_remedies:
    input:
        tests="<results>/significance/remedies.csv",
        cards=dataset_cards("remedies"),
    output:
        **figure_outputs("remedies", "Remedies", "What closes the gap"),
    log:
        "<results>/logs/draw_remedies/remedies.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels_of_remedies(config),
        code=code_of("draw_remedies"),
    message:
        "Figure: the gap with each remedy"
    script:
        "../scripts/draw_remedies.py"


rule draw_class_recall:
    input:
        metrics=run_files("metrics.json"),
        predictions=run_files("predictions.parquet"),
        cards=dataset_cards(),
    output:
        **figure_outputs("class_recall", "Class recall", "The gap from head to tail classes"),
    log:
        "<results>/logs/draw_class_recall/class_recall.log",
    localrule: True
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
        **figure_outputs("training_curves", "Training curves", "Validation scores over the epochs"),
    log:
        "<results>/logs/draw_training_curves/training_curves.log",
    localrule: True
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


rule draw_learning_curves:
    input:
        curves="<results>/tables/learning_curve.csv",
        cards=dataset_cards("learning_curve"),
    output:
        **figure_outputs("learning_curves", "Learning curves", "Whether a gap is a wall or a price in samples"),
    log:
        "<results>/logs/draw_learning_curves/learning_curves.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        code=code_of("draw_learning_curves"),
    message:
        "Figure: learning curves"
    script:
        "../scripts/draw_learning_curves.py"
