# What each latent space is like: numbers about encodings, without any training.


rule diagnose_encoding:
    input:
        unpack(autoencoder_weights),
        unpack(teacher_files),
        images="<results>/datasets/{dataset}/images.npy",
        samples="<results>/datasets/{dataset}/samples.parquet",
        card="<results>/datasets/{dataset}/dataset.json",
        latents="<results>/encodings/{dataset}/{autoencoder}{of_fold}/latents.npy",
        sums="<results>/encodings/{dataset}/{autoencoder}{of_fold}/channel_sums.npy",
        encoding="<results>/encodings/{dataset}/{autoencoder}{of_fold}/autoencoder.json",
    output:
        table="<results>/diagnostics/{dataset}/{autoencoder}{of_fold}.csv",
        spectrum="<results>/diagnostics/{dataset}/{autoencoder}{of_fold}_spectrum.csv",
    log:
        "<results>/logs/diagnose_encoding/{dataset}.{autoencoder}{of_fold}.log",
    benchmark:
        "<results>/benchmarks/diagnose_encoding/{dataset}.{autoencoder}{of_fold}.jsonl"
    conda:
        "../../envs/learnability.yaml"
    resources:
        mem_mb=scaled(16000),
        runtime=runtime_on_images("diagnose_encoding", encoder_of),
        gpu=1,
    params:
        entry=recorded_of(encoder_of),
        unrecorded=unrecorded_of(encoder_of),
        teacher=lambda wildcards: diagnostics_of_study()["teacher"],
        pretrained=recorded_of(teacher_of),
        unrecorded_pretrained=unrecorded_of(teacher_of),
        weights=weights_of_diagnosis,
        number=lambda wildcards: diagnostics_of_study()["images"],
        torch_threads=1,
        code=code_with_autoencoder("diagnose_encoding"),
    message:
        "Describing the latents of {wildcards.dataset} with {wildcards.autoencoder}{wildcards.of_fold}"
    script:
        "../scripts/diagnose_encoding.py"
