# Images for training and evaluation.
#   out: <results>/data (generated images, if the scale's data are generated)
#        <results>/data.json (what the data are, after their check)
from r3cnn.core.schema import shown

if GENERATED:

    rule shapes:
        output:
            train="<results>/data/annotations/instances_train2017.json",
            val="<results>/data/annotations/instances_val2017.json",
            train_images=directory("<results>/data/train2017"),
            val_images=directory("<results>/data/val2017"),
        log:
            "<logs>/shapes.log",
        benchmark:
            "<benchmarks>/shapes.tsv"
        conda:
            "../../environment.yml"
        params:
            scale=lambda wildcards: shown(SCALE.path),
            shapes=SCALE.data["shapes"],
            folder=subpath(output.train, ancestor=2),
        message:
            "Generate images"
        shell:
            "python -m r3cnn data shapes --scale {params.scale:q} --out {params.folder:q} > {log:q} 2>&1"


rule check:
    input:
        rules.shapes.output if GENERATED else [],
    output:
        "<results>/data.json",
    log:
        "<logs>/check.log",
    benchmark:
        "<benchmarks>/check.tsv"
    conda:
        "../../environment.yml"
    params:
        # the option as a part of the value: another command would make all results old
        data=lambda wildcards: [DATA, "--val-only"] if VAL_ONLY else DATA,
        bytes=annotation_sizes(),
    message:
        "Check the data in {params.data}"
    shell:
        "python -m r3cnn data check --data {params.data:q} --out {output:q} > {log:q} 2>&1"
