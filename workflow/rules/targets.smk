# Named stopping points: gap, gap_by_frequency, table1 to table6, ablation_controls, gap_decomposition, controls,
# diagnostics, probes, information, learning_curve, decoder_depth, across_spaces, significance, figures, claims,
# published, summary, train/{dataset}, train/{dataset}/{space}/{autoencoder}.


for _table in [*TABLES, "claims", "published"]:

    rule:
        name:
            _table
        input:
            table_files(_table),
            noise_curves() if _table == "table4" else [],
            gap_by_share() if _table == "learning_curve" else [],
        localrule: True


rule gap_decomposition:
    input:
        "<results>/significance/gap_decomposition.csv",
    localrule: True


rule diagnostics:
    input:
        at_least_one(diagnostics_files(), "diagnostics", "is null, or no run reads latents"),
    localrule: True


rule controls:
    input:
        "<results>/significance/controls.csv",
    localrule: True


rule significance:
    input:
        significance_files(),
    localrule: True


rule figures:
    input:
        figure_files(),
    localrule: True


rule summary:
    input:
        "<results>/summary.html",
    localrule: True


for _target, _metrics in metrics_by_target().items():

    rule:
        name:
            _target
        input:
            _metrics,
        localrule: True
