# What comes from the model hub, brought by the head node: the nodes that compute are usually offline.


localrules:
    fetch_weights,


rule fetch_weights:
    output:
        "<results>/weights/{name}/source.json",
    log:
        "<results>/logs/fetch_weights/{name}.log",
    wildcard_constraints:
        name=one_of(FETCHED),
    conda:
        "../../envs/learnability.yaml"
    params:
        request=lambda wildcards: FETCHED[wildcards.name],
    message:
        "Fetching the weights {wildcards.name}"
    script:
        "../scripts/fetch_weights.py"
