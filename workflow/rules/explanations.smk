# What explains a gap: how simple a classifier reads a space and from how many images, where in the decoder the gap closes,
# what a classifier of one space makes of the other, and which remedies close the gap. All of it where a study names
# recipes for it.


rule score_across_spaces:
    input:
        unpack(files_of_pair),
        folds="<results>/folds/{dataset}.parquet",
    output:
        f"<results>/{paths.ACROSS}",
    log:
        "<results>/logs/score_across_spaces/{dataset}.{autoencoder}.{recipe}.fold{fold}.log",
    benchmark:
        "<results>/benchmarks/score_across_spaces/{dataset}.{autoencoder}.{recipe}.fold{fold}.jsonl"
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(16000),
        runtime=scaled(60),
        gpu=1,
    params:
        cell=cell_of,
        n_splits=config["study"]["n_splits"],
        torch_threads=1,
        code=code_of("score_across_spaces", modules_of_network),
    message:
        "Classifiers of images on reconstructions of {wildcards.autoencoder} and the reverse: {wildcards.recipe} on {wildcards.dataset}, fold {wildcards.fold}"
    script:
        "../scripts/score_across_spaces.py"


rule make_probes:
    input:
        study="<results>/study.json",
        metrics=at_least_one(run_files("metrics.json", "probes"), "recipes.probes"),
        cards=dataset_cards("probes"),
    output:
        **table_outputs("probes", "Probes", "What classifiers from a linear map to a network read"),
    log:
        "<results>/logs/make_probes/probes.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "probes"),
        folds=config["study"]["folds"],
        footnotes=notes_of("probes"),
        code=code_of("make_probes"),
    message:
        "The probe ladder"
    script:
        "../scripts/make_probes.py"


rule make_information:
    input:
        **predictions_of(cells_of_information(config), "recipes.probes"),
        study="<results>/study.json",
    output:
        **table_outputs("information", "Information", "Usable information in bits, and its gap"),
    log:
        "<results>/logs/make_information/information.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "probes"),
        folds=config["study"]["folds"],
        footnotes=notes_of("probes"),
        code=code_of("make_information"),
    message:
        "Usable information of every space"
    script:
        "../scripts/make_information.py"


rule make_learning_curve:
    input:
        **predictions_of(cells(config, "learning_curve"), "recipes.learning_curve"),
        study="<results>/study.json",
    output:
        **table_outputs("learning_curve", "Learning curve", "Whether a gap is a wall or a price in samples"),
    log:
        "<results>/logs/make_learning_curve/learning_curve.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config, "probes"),
        folds=config["study"]["folds"],
        shares=shares_of_curve(config),
        footnotes=notes_of("learning_curve"),
        code=code_of("make_learning_curve"),
    message:
        "Learning curves"
    script:
        "../scripts/make_learning_curve.py"


use rule decompose_gap as decompose_gap_by_share with:
    # The same, by every recipe of the learning curve.
    input:
        **predictions_of(cells(config, "learning_curve"), "recipes.learning_curve"),
        study="<results>/study.json",
    output:
        "<results>/significance/gap_by_share.csv",
    log:
        "<results>/logs/decompose_gap_by_share/gap_by_share.log",
    params:
        recipes={"matched": {name: [name] for name in shares_of_curve(config)}},
        controls=controls_of_curve(config),
        code=code_of("decompose_gap"),
    message:
        "The gap by the share of the training rows"


rule make_decoder_depth:
    input:
        study="<results>/study.json",
        metrics=at_least_one(run_files("metrics.json", "decoder_depth"), "recipes.decoder_depth", "names no such runs"),
        cards=dataset_cards("decoder_depth"),
    output:
        **table_outputs("decoder_depth", "Decoder's depth", "Where in the decoder the gap closes"),
    log:
        "<results>/logs/make_decoder_depth/decoder_depth.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        folds=config["study"]["folds"],
        blocks=blocks_of(config),
        footnotes=lambda wildcards: finetuning_notes(config, scope(config, "decoder_depth")["autoencoders"]),
        code=code_of("make_decoder_depth"),
    message:
        "Where in the decoder the gap closes"
    script:
        "../scripts/make_decoder_depth.py"


rule make_across_spaces:
    input:
        study="<results>/study.json",
        scores=at_least_one(scores_across(), "recipes.across_spaces", "names no such runs"),
        metrics=run_files("metrics.json", "across_spaces"),
        cards=dataset_cards("across_spaces"),
    output:
        **table_outputs("across_spaces", "Across spaces", "Images tested on reconstructions, and the reverse"),
    log:
        "<results>/logs/make_across_spaces/across_spaces.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels(config),
        folds=config["study"]["folds"],
        footnotes=lambda wildcards: finetuning_notes(config, scope(config, "across_spaces")["autoencoders"]),
        code=code_of("make_across_spaces"),
    message:
        "Classifiers of images on reconstructions, and the reverse"
    script:
        "../scripts/make_across_spaces.py"


rule test_remedies:
    input:
        **predictions_of(cells(config, "remedies"), "recipes.remedies", "names no such runs"),
        study="<results>/study.json",
    output:
        "<results>/significance/remedies.csv",
    log:
        "<results>/logs/test_remedies/remedies.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        rows=remedy_rows(config),
        code=code_of("test_remedies"),
    message:
        "What remedies gain, over groups of images"
    script:
        "../scripts/test_remedies.py"


rule make_table6:
    input:
        study="<results>/study.json",
        metrics=at_least_one(run_files("metrics.json", "remedies"), "recipes.remedies", "names no such runs"),
        tests="<results>/significance/remedies.csv",
        fidelity=encodings_of_remedies("fidelity.parquet"),
        autoencoders=encodings_of_remedies("autoencoder.json"),
        cards=dataset_cards("remedies"),
    output:
        **table_outputs("table6", "Table 6", "What closes the gap, and at what price"),
    log:
        "<results>/logs/make_table6/table6.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels_of_remedies(config),
        folds=config["study"]["folds"],
        rows=remedy_rows(config),
        footnotes=lambda wildcards: finetuning_notes(config, scope(config, "remedies")["autoencoders"]),
        code=code_of("make_table6"),
    message:
        "Table 6: what closes the gap, and at what price"
    script:
        "../scripts/make_table6.py"
