rule train_classifier:
    input:
        unpack(files_of_training),
        folds="<results>/folds/{dataset}.parquet",
    output:
        predictions=f"{RUN}/predictions.parquet",
        metrics=f"{RUN}/metrics.json",
        history=f"{RUN}/history.csv",
        weights=f"{RUN}/model.safetensors",
        model=f"{RUN}/model.json",
    log:
        "<results>/logs/train_classifier/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.log",
    benchmark:
        "<results>/benchmarks/train_classifier/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.jsonl"
    wildcard_constraints:
        recipe=one_of(set(config["recipes"]) - recipes_with("runs_decoder")),
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=memory_of_run,
        runtime=runtime_of_classifier("train_classifier"),
        gpu=1,
        slot=1,  # one at a time of those that share an allocation (profiles/cluster)
    params:
        cell=cell_of,
        recipe=recipe_values,
        pretrained=recorded_of(start_of),
        unrecorded_pretrained=unrecorded_of(start_of),
        weights=weights_of_start,
        teacher_scale=teacher_scale,
        seed=seed_of_fold,
        n_splits=config["study"]["n_splits"],
        # One and two threads give different bits: the number belongs to the result, not to the machine.
        torch_threads=1,
        code=code_of("train_classifier", modules_of_training),
    message:
        "Training {wildcards.recipe} on {wildcards.dataset}, {wildcards.space} space ({wildcards.autoencoder}), fold {wildcards.fold}"
    script:
        "../scripts/train_classifier.py"


rule train_with_decoder:
    # Apart, so that code of the autoencoders belongs to no other training.
    input:
        unpack(files_of_training),
        folds="<results>/folds/{dataset}.parquet",
    output:
        predictions=f"{RUN}/predictions.parquet",
        metrics=f"{RUN}/metrics.json",
        history=f"{RUN}/history.csv",
        weights=f"{RUN}/model.safetensors",
        model=f"{RUN}/model.json",
    log:
        "<results>/logs/train_with_decoder/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.log",
    benchmark:
        "<results>/benchmarks/train_with_decoder/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.jsonl"
    wildcard_constraints:
        space="latent|reconstruction",
        recipe=one_of(recipes_with("runs_decoder")),
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=memory_with_decoder,
        runtime=runtime_of_classifier("train_classifier"),
        gpu=1,
        slot=1,
    params:
        cell=cell_of,
        recipe=recipe_values,
        pretrained=recorded_of(start_of),
        unrecorded_pretrained=unrecorded_of(start_of),
        weights=weights_of_start,
        teacher_scale=teacher_scale,
        autoencoder=recorded_of(decoder_of),
        unrecorded_autoencoder=unrecorded_of(decoder_of),
        seed=seed_of_fold,
        n_splits=config["study"]["n_splits"],
        # One and two threads give different bits: the number belongs to the result, not to the machine.
        torch_threads=1,
        code=code_of("train_with_decoder", modules_of_training, modules_of_decoding),
    message:
        "Training {wildcards.recipe} on {wildcards.dataset}, {wildcards.space} space, behind the decoder of {wildcards.autoencoder}, fold {wildcards.fold}"
    script:
        "../scripts/train_with_decoder.py"


rule compute_teacher_logits:
    input:
        unpack(files_of_trained_run),
        folds="<results>/folds/{dataset}.parquet",
    output:
        logits=f"{RUN}/teacher_logits.npy",
        card=f"{RUN}/teacher_logits.json",
    log:
        "<results>/logs/compute_teacher_logits/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.log",
    benchmark:
        "<results>/benchmarks/compute_teacher_logits/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.jsonl"
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(16000),
        runtime=scaled(60),
        gpu=1,
        slot=1,
    params:
        cell=cell_of,
        n_splits=config["study"]["n_splits"],
        torch_threads=1,
        code=code_of("compute_teacher_logits", modules_of_network),
    message:
        "Teacher logits of {wildcards.recipe} on {wildcards.dataset}, {wildcards.space} space ({wildcards.autoencoder}), fold {wildcards.fold}"
    script:
        "../scripts/compute_teacher_logits.py"


rule trace_noise_curve:
    input:
        unpack(files_of_trained_run),
        folds="<results>/folds/{dataset}.parquet",
    output:
        f"{RUN}/noise_curve.parquet",
    log:
        "<results>/logs/trace_noise_curve/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.log",
    benchmark:
        "<results>/benchmarks/trace_noise_curve/{dataset}.{space}.{autoencoder}.{recipe}.fold{fold}.jsonl"
    wildcard_constraints:
        space="latent",
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(16000),
        runtime=scaled(60),
        gpu=1,
        slot=1,
    params:
        cell=cell_of,
        seed=seed_of_fold,
        n_splits=config["study"]["n_splits"],
        torch_threads=1,
        code=code_of("trace_noise_curve", modules_of_network),
    message:
        "Scores of {wildcards.recipe} over the noise level, {wildcards.dataset} ({wildcards.autoencoder}), fold {wildcards.fold}"
    script:
        "../scripts/trace_noise_curve.py"


rule search_recipe:
    input:
        unpack(files_of_search),
        folds="<results>/folds/{dataset}.parquet",
        others=other_workers,
    output:
        f"{SEARCH}/best.json",
    log:
        "<results>/logs/search_recipe/{dataset}.{autoencoder}{of_space}.{recipe}.fold{fold}.log",
    benchmark:
        "<results>/benchmarks/search_recipe/{dataset}.{autoencoder}{of_space}.{recipe}.fold{fold}.jsonl"
    wildcard_constraints:
        recipe=one_of(recipes_with("search")),
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=memory_of_run,
        runtime=runtime_of_classifier("search_recipe"),
        gpu=1,
    params:
        cell=cell_of,
        recipe=recipe_values,
        pretrained=recorded_of(start_of),
        unrecorded_pretrained=unrecorded_of(start_of),
        weights=weights_of_start,
        teacher_scale=teacher_scale,
        workers=lambda wildcards, threads: recipe_of(wildcards).search.workers,
        seed=seed_of_fold,
        n_splits=config["study"]["n_splits"],
        worker=lambda wildcards: int(wildcards.get("worker", 0)),  # 0 writes best.json
        torch_threads=1,
        code=code_of("search_recipe", modules_of_training),
    message:
        "Searching {wildcards.recipe} on {wildcards.dataset} ({wildcards.autoencoder}{wildcards.of_space}), training and validation rows of fold {wildcards.fold}"
    script:
        "../scripts/search_recipe.py"


use rule search_recipe as assist_search with:
    # Further jobs that work on the same trials, where `search.workers` is more than one.
    input:
        unpack(files_of_search),
        folds="<results>/folds/{dataset}.parquet",
    output:
        f"{SEARCH}/worker{{worker}}.json",
    log:
        "<results>/logs/assist_search/{dataset}.{autoencoder}{of_space}.{recipe}.fold{fold}.worker{worker}.log",
    benchmark:
        "<results>/benchmarks/assist_search/{dataset}.{autoencoder}{of_space}.{recipe}.fold{fold}.worker{worker}.jsonl"
    message:
        "Helping to search {wildcards.recipe} on {wildcards.dataset} ({wildcards.autoencoder}{wildcards.of_space}), fold {wildcards.fold}"


rule measure_efficiency:
    input:
        unpack(files_of_efficiency),
    output:
        "<results>/efficiency/{dataset}/{autoencoder}/{row}.csv",
    log:
        "<results>/logs/measure_efficiency/{dataset}.{autoencoder}.{row}.log",
    benchmark:
        "<results>/benchmarks/measure_efficiency/{dataset}.{autoencoder}.{row}.jsonl"
    wildcard_constraints:
        row="image|image_cached|latent|latent_distilled",
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(16000),
        runtime=scaled(120),
        gpu=1,
    params:
        cell=cell_of,
        recipe=recipe_values,
        autoencoder=recorded_of(decoder_of),
        unrecorded_autoencoder=unrecorded_of(decoder_of),
        n_splits=config["study"]["n_splits"],
        measure=lambda wildcards: {key: config["study"]["efficiency"][key] for key in ("batch_sizes", "repeats")},
        torch_threads=1,
        code=code_of("measure_efficiency", modules_of_training, modules_of_decoding),
    message:
        "Speed and memory of the classifier of row {wildcards.row} on {wildcards.dataset} ({wildcards.autoencoder})"
    script:
        "../scripts/measure_efficiency.py"
