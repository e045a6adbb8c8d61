rule train_classifier:
    input:
        unpack(array_of_space),
        unpack(start_weights),
        samples="<results>/datasets/{dataset}/samples.parquet",
        card="<results>/datasets/{dataset}/dataset.json",
        folds="<results>/folds/{dataset}.parquet",
    output:
        predictions=f"{RUN}/predictions.parquet",
        metrics=f"{RUN}/metrics.json",
        history=f"{RUN}/history.csv",
        weights=f"{RUN}/model.safetensors",
        model=f"{RUN}/model.json",
    log:
        "<results>/logs/train_classifier/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.log",
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=16000,
        runtime=480,
    params:
        recipe=recipe_params,
        seed=lambda wildcards: config["seed"] + int(wildcards.fold),
        n_splits=config["study"]["n_splits"],
        # One and two threads give different bits: the number belongs to the result, not to the machine.
        torch_threads=1,
        code=code_digest("train_classifier"),
    message:
        "Training {wildcards.recipe} on {wildcards.dataset}, {wildcards.space} space ({wildcards.autoencoder}), fold {wildcards.fold}"
    script:
        "../scripts/train_classifier.py"
