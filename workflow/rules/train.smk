# One complete config file a training, then the training itself. The live state is not declared:
# Snakemake would delete it before a training that was interrupted runs again.
#   in:  <results>/data.json, the model's config files
#   out: <results>/trainings/{id}/seed{seed}/{config.py,checkpoint.pth,manifest.json,
#                                             iou_histogram.csv,train.jsonl}


rule resolve:
    input:
        data="<results>/data.json",
        models=lambda wildcards: CONFIG_FILES[wildcards.id],
    output:
        "<results>/trainings/{id}/seed{seed}/config.py",
    log:
        "<logs>/resolve/{id}.seed{seed}.log",
    benchmark:
        "<benchmarks>/resolve/{id}.seed{seed}.tsv"
    conda:
        "../../environment.yml"
    params:
        catalogue=catalogue_of,
        training=training_of,
        scale=shown(SCALE.path),
        sizes=scale_of,
    message:
        "Resolve the config of {wildcards.id}, seed {wildcards.seed}"
    shell:
        "python -m r3cnn resolve --training {wildcards.id} --catalogue {params.catalogue:q}"
        " --scale {params.scale:q} --seed {wildcards.seed} --data {input.data}"
        " --out {output} > {log} 2>&1"


rule train:
    input:
        config="<results>/trainings/{id}/seed{seed}/config.py",
        data="<results>/data.json",
    output:
        checkpoint="<results>/trainings/{id}/seed{seed}/checkpoint.pth",
        manifest="<results>/trainings/{id}/seed{seed}/manifest.json",
        histogram="<results>/trainings/{id}/seed{seed}/iou_histogram.csv",
        curve="<results>/trainings/{id}/seed{seed}/train.jsonl",
    log:
        "<logs>/train/{id}.seed{seed}.log",
    priority: 1
    conda:
        "../../environment.yml"
    threads: 1
    params:
        out=subpath(output.checkpoint, parent=True),
        state=f"{RESULTS}/state/{{id}}/seed{{seed}}",
    message:
        "Train {wildcards.id}, seed {wildcards.seed}"
    shell:
        "python -m r3cnn train --config {input.config} --out {params.out}"
        " --state {params.state} > {log} 2>&1"
