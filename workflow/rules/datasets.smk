rule prepare_dataset:
    output:
        images="<results>/datasets/{dataset}/images.npy",
        images_small="<results>/datasets/{dataset}/images_small.npy",
        samples="<results>/datasets/{dataset}/samples.parquet",
        card="<results>/datasets/{dataset}/dataset.json",
    log:
        "<results>/logs/prepare_dataset/{dataset}.log",
    benchmark:
        "<results>/benchmarks/prepare_dataset/{dataset}.jsonl"
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(8000),
        runtime=runtime_on_images("prepare_dataset", dataset_of),
    params:
        entry=recorded_of(dataset_of),
        unrecorded=unrecorded_of(dataset_of),
        image_size=config["image_size"],
        classifier_size=config["classifier_size"],
        n_splits=splits_of_packing,
        code=code_of("prepare_dataset", modules_of_format),
    message:
        "Packing the images of {wildcards.dataset}"
    script:
        "../scripts/prepare_dataset.py"


rule make_folds:
    input:
        samples="<results>/datasets/{dataset}/samples.parquet",
    output:
        "<results>/folds/{dataset}.parquet",
    log:
        "<results>/logs/make_folds/{dataset}.log",
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(20),
    params:
        n_splits=config["study"]["n_splits"],
        seed=config["seed"],
        rare_classes=lookup(dpath="datasets/{dataset}/rare_classes", within=config),
        code=code_of("make_folds"),
    message:
        "Folding {wildcards.dataset}, groups kept whole"
    script:
        "../scripts/make_folds.py"
