# What each latent space is like: numbers about encodings, without any training; whether it goes with the gap, and both as a
# table and figures.


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


rule test_diagnostics:
    input:
        study="<results>/study.json",
        diagnostics=at_least_one(diagnostics_files(""), "diagnostics", "is null, or no run reads latents"),
        encodings=diagnosed_cards(),
        gaps="<results>/significance/group_level.csv",
        decomposition=gap_decomposition(),
    output:
        "<results>/significance/diagnostics_vs_gap.csv",
    log:
        "<results>/logs/test_diagnostics/diagnostics_vs_gap.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        code=code_of("test_diagnostics"),
    message:
        "How what latents are like goes with the gap"
    script:
        "../scripts/test_diagnostics.py"


rule make_table5:
    input:
        study="<results>/study.json",
        diagnostics=at_least_one(diagnostics_files(""), "diagnostics", "is null, or no run reads latents"),
        encodings=diagnosed_cards(),
        gaps=gaps_in_groups(),
        tests=tests_of_diagnostics(),
        cards=dataset_cards(),
    output:
        **table_outputs("table5", "Table 5", "What latents are like, and which of it goes with the gap"),
    log:
        "<results>/logs/make_table5/table5.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels_of_diagnosed(config),
        code=code_of("make_table5"),
    message:
        "Table 5: what latents are like, and which of it goes with the gap"
    script:
        "../scripts/make_table5.py"


rule draw_spectra:
    input:
        spectra=at_least_one(diagnostics_files("_spectrum"), "diagnostics", "is null, or no run reads latents"),
        encodings=diagnosed_cards(),
        cards=dataset_cards(),
    output:
        **figure_outputs("spectra", "Spectra", "Power of images and latents over spatial frequencies"),
    log:
        "<results>/logs/draw_spectra/spectra.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels_of_diagnosed(config),
        code=code_of("draw_spectra"),
    message:
        "Figure: power of images and latents over spatial frequencies"
    script:
        "../scripts/draw_spectra.py"


rule draw_diagnostics_vs_gap:
    input:
        table5="<results>/tables/table5.csv",
        gaps="<results>/significance/group_level.csv",
        tests="<results>/significance/diagnostics_vs_gap.csv",
        cards=dataset_cards(),
    output:
        **figure_outputs("diagnostics_vs_gap", "Diagnostics", "Does what latents are like go with the gap?"),
    log:
        "<results>/logs/draw_diagnostics_vs_gap/diagnostics_vs_gap.log",
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        labels=labels_of_diagnosed(config),
        code=code_of("draw_diagnostics_vs_gap"),
    message:
        "Figure: what latents are like against the gap"
    script:
        "../scripts/draw_diagnostics_vs_gap.py"
