# The APs of one evaluation. The annotations are no input: a missing file is for `check` to report.
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
    params:
        annotations=f"{DATA}/annotations/instances_val2017.json",
    message:
        "Score {wildcards.id}, seed {wildcards.seed}, L_e = {wildcards.loops}"
    shell:
        "python -m r3cnn score --predictions {input.predictions} --loops {wildcards.loops}"
        " --annotations {params.annotations:q} --out {output.score} > {log} 2>&1"
