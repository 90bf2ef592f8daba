# One prediction job per training, for all L_e. Its state (the images predicted so far) is not declared, because
# Snakemake would delete it before it reruns a stopped prediction.
#   in:  <results>/trainings/{id}/seed{seed}/{config.py,checkpoint.pth}
#   out: <results>/predictions/{id}/seed{seed}.{parquet,gallery.json}


rule predict:
    input:
        config="<results>/trainings/{id}/seed{seed}/config.py",
        checkpoint="<results>/trainings/{id}/seed{seed}/checkpoint.pth",
    output:
        predictions="<results>/predictions/{id}/seed{seed}.parquet",
        gallery="<results>/predictions/{id}/seed{seed}.gallery.json",
    log:
        "<logs>/predict/{id}.seed{seed}.log",
    benchmark:
        "<benchmarks>/predict/{id}.seed{seed}.tsv"
    conda:
        "../../environment.yml"
    resources:
        launch="",  # what stands before the command; the profile for GPUs sets it
    params:
        loops=loops_of,
        state=f"{RESULTS}/state/{{id}}/seed{{seed}}.predictions",
    message:
        "Predict with {wildcards.id}, seed {wildcards.seed}, L_e = {params.loops}"
    shell:
        # exec: the prediction is Snakemake's own child and ends with it, as the training does
        "exec {resources.launch} python -m r3cnn predict --config {input.config:q} --checkpoint {input.checkpoint:q}"
        " --loops {params.loops} --out {output.predictions:q} --state {params.state:q} > {log:q} 2>&1"
