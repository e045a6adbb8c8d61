# What comes from the model hub. The head node fetches it, because compute nodes are usually offline.


rule fetch_weights:
    output:
        "<results>/weights/{name}/source.json",
    log:
        "<results>/logs/fetch_weights/{name}.log",
    wildcard_constraints:
        name=one_of(fetched()),
    localrule: True
    conda:
        "../../envs/learnability.yaml"
    params:
        request=lookup(dpath="{name}", within=fetched()),
    message:
        "Fetching the weights {wildcards.name}"
    script:
        "../scripts/fetch_weights.py"
