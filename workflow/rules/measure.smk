# Parameters and checkpoint size of the paper's model; speed at each L_e and training memory of the trained one on
# this machine. Measured for one seed only.
#   in:  <results>/trainings/{id}/seed<first>/{config.py,checkpoint.pth}
#   out: <results>/measurements/{id}.json


rule measure:
    input:
        config=f"<results>/trainings/{{id}}/seed{SCALE.seeds[0]}/config.py",
        checkpoint=f"<results>/trainings/{{id}}/seed{SCALE.seeds[0]}/checkpoint.pth",
    output:
        "<results>/measurements/{id}.json",
    log:
        "<logs>/measure/{id}.log",
    benchmark:
        "<benchmarks>/measure/{id}.tsv"
    conda:
        "../../environment.yml"
    threads: ALL_CORES if SCALE.measured_alone else 1
    resources:
        launch="",  # what stands before the command; the profile for GPUs sets it
    params:
        catalogue=catalogue_of,
        loops=loops_of,
        beside="" if SCALE.measured_alone else " --beside-others",
    message:
        "Measure {wildcards.id}"
    shell:
        "{resources.launch} python -m r3cnn measure --training {wildcards.id} --catalogue {params.catalogue:q}"
        " --config {input.config:q} --checkpoint {input.checkpoint:q} --loops {params.loops}"
        "{params.beside} --out {output:q} > {log:q} 2>&1"


# No prediction and no report: what a pilot needs.
rule trainings:
    input:
        expand(
            "<results>/trainings/{id}/seed{seed}/manifest.json",
            id=CATALOGUE.trainings,
            seed=SCALE.seeds,
        ),
        expand("<results>/measurements/{id}.json", id=CATALOGUE.trainings),
    localrule: True
    message:
        "Everything is trained and measured"
