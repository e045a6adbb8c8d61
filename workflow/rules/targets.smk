# Named stopping points: table1 to table4, ablation_controls, gap_decomposition, significance, figures, train/{dataset}, train/{dataset}/{space}/{autoencoder}.


localrules:
    table1,
    table2,
    table3,
    table4,
    ablation_controls,
    gap_decomposition,
    significance,
    figures,


rule table1:
    input:
        table_files("table1"),


rule table2:
    input:
        table_files("table2"),


rule table3:
    input:
        table_files("table3"),


rule table4:
    input:
        table_files("table4"),
        noise_curves(),


rule ablation_controls:
    input:
        table_files("ablation_controls"),


rule gap_decomposition:
    input:
        "<results>/significance/gap_decomposition.csv",


rule significance:
    input:
        significance_files(),


rule figures:
    input:
        figure_files(),


for _dataset in config["study"]["datasets"]:

    rule:
        name:
            f"train/{_dataset}"
        input:
            run_files("metrics.json", dataset=_dataset),
        localrule: True


for _dataset, _space, _autoencoder in sorted(
    {(cell["dataset"], cell["space"], cell["autoencoder"]) for cell in cells(config)}
):

    rule:
        name:
            f"train/{_dataset}/{_space}/{_autoencoder}"
        input:
            run_files("metrics.json", dataset=_dataset, space=_space, autoencoder=_autoencoder),
        localrule: True
