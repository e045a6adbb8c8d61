rule finetune_autoencoder:
    input:
        unpack(base_weights),
        unpack(fold_rows),
        images="<results>/datasets/{dataset}/images.npy",
        card="<results>/datasets/{dataset}/dataset.json",
    output:
        weights="<results>/weights/{dataset}/{autoencoder}{of_fold}/diffusion_pytorch_model.safetensors",
        config="<results>/weights/{dataset}/{autoencoder}{of_fold}/config.json",
        history="<results>/weights/{dataset}/{autoencoder}{of_fold}/history.csv",
        card="<results>/weights/{dataset}/{autoencoder}{of_fold}/tuning.json",
    log:
        "<results>/logs/finetune_autoencoder/{dataset}.{autoencoder}{of_fold}.log",
    benchmark:
        "<results>/benchmarks/finetune_autoencoder/{dataset}.{autoencoder}{of_fold}.jsonl"
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(16000),
        runtime=runtime_on_images("finetune_autoencoder", tuned_of),
        gpu=1,
    params:
        entry=recorded_of(tuned_of),
        unrecorded=unrecorded_of(tuned_of),
        backbone=recorded_of(backbone_of),
        unrecorded_backbone=unrecorded_of(backbone_of),
        weights=weights_of_tuning,
        split=fold_split,
        seed=config["seed"],
        torch_threads=1,
        code=code_of("finetune_autoencoder", modules_of_finetuning),
    message:
        "Fine-tuning {wildcards.autoencoder}{wildcards.of_fold} on {wildcards.dataset}"
    script:
        "../scripts/finetune_autoencoder.py"


rule encode_dataset:
    input:
        unpack(autoencoder_weights),
        unpack(fold_rows),
        images="<results>/datasets/{dataset}/images.npy",
        samples="<results>/datasets/{dataset}/samples.parquet",
        card="<results>/datasets/{dataset}/dataset.json",
    output:
        latents="<results>/encodings/{dataset}/{autoencoder}{of_fold}/latents.npy",
        sums="<results>/encodings/{dataset}/{autoencoder}{of_fold}/channel_sums.npy",
        reconstructions="<results>/encodings/{dataset}/{autoencoder}{of_fold}/reconstructions.npy",
        fidelity="<results>/encodings/{dataset}/{autoencoder}{of_fold}/fidelity.parquet",
        card="<results>/encodings/{dataset}/{autoencoder}{of_fold}/autoencoder.json",
    log:
        "<results>/logs/encode_dataset/{dataset}.{autoencoder}{of_fold}.log",
    benchmark:
        "<results>/benchmarks/encode_dataset/{dataset}.{autoencoder}{of_fold}.jsonl"
    wildcard_constraints:
        autoencoder=one_of(set(config["autoencoders"]) - latent_only()),
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(16000),
        runtime=runtime_on_images("encode_dataset", encoder_of),
        gpu=1,
    params:
        entry=recorded_of(encoder_of),
        unrecorded=unrecorded_of(encoder_of),
        weights=weights_of,
        split=fold_split,
        torch_threads=1,
        code=code_with_autoencoder("encode_dataset"),
    message:
        "Encoding {wildcards.dataset} with {wildcards.autoencoder}{wildcards.of_fold}: latents, reconstructions, fidelity"
    script:
        "../scripts/encode_dataset.py"


use rule encode_dataset as encode_latents with:
    # The same step, for an autoencoder without a decoder.
    output:
        latents="<results>/encodings/{dataset}/{autoencoder}{of_fold}/latents.npy",
        sums="<results>/encodings/{dataset}/{autoencoder}{of_fold}/channel_sums.npy",
        card="<results>/encodings/{dataset}/{autoencoder}{of_fold}/autoencoder.json",
    log:
        "<results>/logs/encode_latents/{dataset}.{autoencoder}{of_fold}.log",
    benchmark:
        "<results>/benchmarks/encode_latents/{dataset}.{autoencoder}{of_fold}.jsonl"
    wildcard_constraints:
        autoencoder=one_of(latent_only()),
    message:
        "Encoding {wildcards.dataset} with {wildcards.autoencoder}: latents alone, there is no decoder"


rule encode_views:
    # Flipped and turned copies of the images, for recipes with `views`.
    input:
        unpack(autoencoder_weights),
        images="<results>/datasets/{dataset}/images.npy",
        samples="<results>/datasets/{dataset}/samples.parquet",
        card="<results>/datasets/{dataset}/dataset.json",
    output:
        latents="<results>/encodings/{dataset}/{autoencoder}{of_fold}/views{copies}/latents.npy",
        reconstructions="<results>/encodings/{dataset}/{autoencoder}{of_fold}/views{copies}/reconstructions.npy",
        card="<results>/encodings/{dataset}/{autoencoder}{of_fold}/views{copies}/autoencoder.json",
    log:
        "<results>/logs/encode_views/{dataset}.{autoencoder}{of_fold}.views{copies}.log",
    benchmark:
        "<results>/benchmarks/encode_views/{dataset}.{autoencoder}{of_fold}.views{copies}.jsonl"
    wildcard_constraints:
        autoencoder=one_of(set(config["autoencoders"]) - latent_only()),
        copies="[1-7]",
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(16000),
        runtime=runtime_on_images("encode_views", encoder_of),
        gpu=1,
    params:
        entry=recorded_of(encoder_of),
        unrecorded=unrecorded_of(encoder_of),
        weights=weights_of,
        split=fold_split,
        copies=lambda wildcards: int(wildcards.copies),
        torch_threads=1,
        code=code_with_autoencoder("encode_views"),
    message:
        "Encoding {wildcards.copies} turned copies of {wildcards.dataset} with {wildcards.autoencoder}{wildcards.of_fold}"
    script:
        "../scripts/encode_views.py"


use rule encode_views as encode_latent_views with:
    # The same step, for an autoencoder without a decoder.
    output:
        latents="<results>/encodings/{dataset}/{autoencoder}{of_fold}/views{copies}/latents.npy",
        card="<results>/encodings/{dataset}/{autoencoder}{of_fold}/views{copies}/autoencoder.json",
    log:
        "<results>/logs/encode_latent_views/{dataset}.{autoencoder}{of_fold}.views{copies}.log",
    benchmark:
        "<results>/benchmarks/encode_latent_views/{dataset}.{autoencoder}{of_fold}.views{copies}.jsonl"
    wildcard_constraints:
        autoencoder=one_of(latent_only()),
        copies="[1-7]",
    message:
        "Encoding {wildcards.copies} turned copies of {wildcards.dataset} with {wildcards.autoencoder}: latents alone"
