# The APs of one evaluation. The annotations are not an input: `check` reports missing files.
#   in:  <results>/predictions/{id}/seed{seed}.parquet
#   out: <results>/scores/{id}/seed{seed}/loops{loops}.{json,bootstrap.parquet,errors.json}


rule score:
    input:
        predictions="<results>/predictions/{id}/seed{seed}.parquet",
        data="<results>/data.json",
    output:
        score="<results>/scores/{id}/seed{seed}/loops{loops}.json",
        bootstrap="<results>/scores/{id}/seed{seed}/loops{loops}.bootstrap.parquet",
        errors="<results>/scores/{id}/seed{seed}/loops{loops}.errors.json",
    log:
        "<logs>/score/{id}.seed{seed}.loops{loops}.log",
    benchmark:
        "<benchmarks>/score/{id}.seed{seed}.loops{loops}.tsv"
    conda:
        "../../environment.yml"
    resources:
        launch="",  # what stands before the command; the profile for Slurm sets it
    params:
        annotations=lambda wildcards: f"{DATA}/annotations/instances_val2017.json",
    message:
        "Score {wildcards.id}, seed {wildcards.seed}, L_e = {wildcards.loops}"
    shell:
        "{resources.launch} python -m r3cnn score --predictions {input.predictions:q} --loops {wildcards.loops}"
        " --annotations {params.annotations:q} --out {output.score:q} > {log:q} 2>&1"
