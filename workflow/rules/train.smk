# One complete config file per training, then the training itself. The live state is not declared, because Snakemake
# would delete it before it reruns an interrupted training.
#   in:  <results>/data.json, the model's config files
#   out: <results>/trainings/{id}/seed{seed}/{config.py,checkpoint.pth,manifest.json,
#                                             iou_histogram.csv,train.jsonl,validation.jsonl}
import shlex
from pathlib import Path

from r3cnn.core.schema import shown


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
    priority: 2  # before any training: a bad row is known at once
    localrule: True
    conda:
        "../../environment.yml"
    params:
        catalogue=catalogue_of,
        training=training_of,
        scale=lambda wildcards: shown(SCALE.path),
        sizes=scale_of,
        backbone=lambda wildcards: f"--backbone {shlex.quote(BACKBONE)}" if BACKBONE else "",
    message:
        "Resolve the config of {wildcards.id}, seed {wildcards.seed}"
    shell:
        "python -m r3cnn resolve --training {wildcards.id} --catalogue {params.catalogue:q}"
        " --scale {params.scale:q} --seed {wildcards.seed} --data {input.data:q} {params.backbone}"
        " --out {output:q} > {log:q} 2>&1"


GIVEN = [id for id, training in CATALOGUE.trainings.items() if training.weights]
REUSED = [id for id, training in CATALOGUE.trainings.items() if training.trained_as]


rule train:
    input:
        config="<results>/trainings/{id}/seed{seed}/config.py",
        data="<results>/data.json",
    output:
        checkpoint="<results>/trainings/{id}/seed{seed}/checkpoint.pth",
        manifest="<results>/trainings/{id}/seed{seed}/manifest.json",
        histogram="<results>/trainings/{id}/seed{seed}/iou_histogram.csv",
        curve="<results>/trainings/{id}/seed{seed}/train.jsonl",
        validation="<results>/trainings/{id}/seed{seed}/validation.jsonl",
    log:
        "<logs>/train/{id}.seed{seed}.log",
    wildcard_constraints:
        id="|".join(sorted(set(CATALOGUE.trainings) - {*GIVEN, *REUSED})) or "-",
    priority: 1
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        launch="",  # what stands before the command; the profiles for GPUs and for Slurm set it
    params:
        out=subpath(output.checkpoint, parent=True),
        state=f"{RESULTS}/state/{{id}}/seed{{seed}}",
    message:
        "Train {wildcards.id}, seed {wildcards.seed}"
    shell:
        # exec: the training is Snakemake's own child, not that of a shell between them, and ends with it
        "exec {resources.launch} python -m r3cnn train --config {input.config:q} --out {params.out:q}"
        " --state {params.state:q} > {log:q} 2>&1"


if GIVEN:

    # Where Snakemake runs: the nodes of a cluster need not reach the address.
    localrules:
        weights,

    # A checkpoint from elsewhere in place of a training.
    rule weights:
        input:
            config="<results>/trainings/{id}/seed{seed}/config.py",
        output:
            checkpoint="<results>/trainings/{id}/seed{seed}/checkpoint.pth",
            manifest="<results>/trainings/{id}/seed{seed}/manifest.json",
            histogram="<results>/trainings/{id}/seed{seed}/iou_histogram.csv",
            curve="<results>/trainings/{id}/seed{seed}/train.jsonl",
            validation="<results>/trainings/{id}/seed{seed}/validation.jsonl",
        log:
            "<logs>/weights/{id}.seed{seed}.log",
        benchmark:
            "<benchmarks>/weights/{id}.seed{seed}.tsv"
        wildcard_constraints:
            id="|".join(GIVEN),
        conda:
            "../../environment.yml"
        params:
            source=lambda wildcards: weights_of(wildcards).source,
            sha256=lambda wildcards: weights_of(wildcards).sha256,
            out=subpath(output.checkpoint, parent=True),
        message:
            "Take the weights of {wildcards.id} from {params.source}"
        shell:
            "python -m r3cnn weights --config {input.config:q} --source {params.source:q}"
            " --sha256 {params.sha256} --out {params.out:q} > {log:q} 2>&1"


if REUSED:

    localrules:
        reuse,

    # The weights of another training of the catalogue, for another evaluation of them.
    rule reuse:
        input:
            config="<results>/trainings/{id}/seed{seed}/config.py",
            trained=trained_as,
        output:
            checkpoint="<results>/trainings/{id}/seed{seed}/checkpoint.pth",
            manifest="<results>/trainings/{id}/seed{seed}/manifest.json",
            histogram="<results>/trainings/{id}/seed{seed}/iou_histogram.csv",
            curve="<results>/trainings/{id}/seed{seed}/train.jsonl",
            validation="<results>/trainings/{id}/seed{seed}/validation.jsonl",
        log:
            "<logs>/reuse/{id}.seed{seed}.log",
        benchmark:
            "<benchmarks>/reuse/{id}.seed{seed}.tsv"
        wildcard_constraints:
            id="|".join(REUSED),
        conda:
            "../../environment.yml"
        params:
            trained=lambda wildcards, input: Path(input.trained[0]).parent,
            out=subpath(output.checkpoint, parent=True),
        message:
            "Take the weights of {wildcards.id} from {params.trained}"
        shell:
            "python -m r3cnn reuse --config {input.config:q} --trained {params.trained:q}"
            " --out {params.out:q} > {log:q} 2>&1"
