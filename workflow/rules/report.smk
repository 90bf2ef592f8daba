# The tables, the figure, and the report page with all of them.
#   in:  <results>/{scores,measurements,trainings}, the file of tables with the published numbers
#   out: <results>/report/{index.html,plotly.min.js,table1.{csv,md,tex},...,other.{csv,md,tex},
#                          figure2.{svg,pdf,png},claims.csv,results.parquet}
import shlex

from r3cnn.core.layout import REPORT_CHARTS
from r3cnn.core.schema import shown


report: "../report/workflow.rst"


# Commands that the report shows must name a catalogue of the user's own.
OWN = SETTINGS["catalogue"]
OWN_CATALOGUE = f"--catalogue {shlex.quote(OWN)}" if OWN else ""
FIGURE2 = [id for id in ("mask_3x", "r3_naive_dec", "r3_naive_inc") if id in CATALOGUE.trainings]
CLAIMS = shown(ROOT / "reports" / "claims.yaml")
TABLES_OPTION = f"--tables {shlex.quote(shown(CATALOGUE.tables))}" if TABLES else "--no-tables"


for name, table in TABLES.items():

    rule:
        name:
            name
        input:
            results_of([(row["training"], row["loops"]) for row in table["rows"]]),
            tables=table_files(name),
        output:
            report(
                f"<results>/report/{name}.csv",
                caption="../report/table.rst",
                category="Tables",
                labels={"result": table["title"]},
            ),
            multiext(f"<results>/report/{name}", ".md", ".tex"),
        log:
            f"<logs>/report/{name}.log",
        benchmark:
            f"<benchmarks>/report/{name}.tsv"
        localrule: True
        conda:
            "../../environment.yml"
        params:
            table=name,
            results=subpath(output[0], ancestor=2),
            out=subpath(output[0], parent=True),
        message:
            "Write {params.table}"
        shell:
            "python -m reports tables --tables {input.tables[0]:q} --only {params.table}"
            " --results {params.results:q} --out {params.out:q} > {log:q} 2>&1"


rule tables:
    input:
        expand("<results>/report/{table}.csv", table=TABLES),
    localrule: True


if FIGURE2:

    rule figure2:
        input:
            expand(
                "<results>/trainings/{id}/seed{seed}/iou_histogram.csv",
                id=FIGURE2,
                seed=SCALE.seeds,
            ),
        output:
            report(
                "<results>/report/figure2.svg",
                caption="../report/figure2.rst",
                category="Figures",
                labels={"result": "Figure 2"},
            ),
            multiext("<results>/report/figure2", ".pdf", ".png"),
        log:
            "<logs>/report/figure2.log",
        benchmark:
            "<benchmarks>/report/figure2.tsv"
        localrule: True
        conda:
            "../../environment.yml"
        params:
            results=subpath(output[0], ancestor=2),
            out=subpath(output[0], parent=True),
        message:
            "Draw figure2"
        shell:
            "python -m reports figure2 --results {params.results:q} --out {params.out:q} > {log:q} 2>&1"


# The claims are about the rows of the tables and the bars of the figure.
rule claims:
    input:
        results_of([(row["training"], row["loops"]) for t in TABLES.values() for row in t["rows"]]),
        expand(
            "<results>/trainings/{id}/seed{seed}/iou_histogram.csv",
            id=FIGURE2,
            seed=SCALE.seeds,
        ),
        "<results>/data.json",
        tables=table_files(*TABLES) if TABLES else [],
        claims=CLAIMS,
    output:
        report(
            "<results>/report/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"result": "Claims"},
        ),
    log:
        "<logs>/report/claims.log",
    benchmark:
        "<benchmarks>/report/claims.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        tables=TABLES_OPTION,
        results=subpath(output[0], ancestor=2),
        out=subpath(output[0], parent=True),
    message:
        "Judge the paper's claims"
    shell:
        "python -m reports claims {params.tables} --claims {input.claims:q}"
        " --results {params.results:q} --out {params.out:q} > {log:q} 2>&1"


rule report:
    input:
        results_of(EVALUATIONS),
        rules.tables.input,
        rules.figure2.output if FIGURE2 else [],
        rules.claims.output,
        expand(
            "<results>/predictions/{id}/seed{seed}.gallery.json",
            id=CATALOGUE.trainings,
            seed=SCALE.seeds,
        ),
        tables=table_files(*TABLES) if TABLES else [],
        claims=CLAIMS,
    output:
        "<results>/report/index.html",
        "<results>/report/plotly.min.js",
        "<results>/report/results.parquet",
        multiext("<results>/report/other", ".csv", ".md", ".tex"),
        expand(
            "<results>/report/{chart}.{suffix}",
            chart=[*CHARTS, *REPORT_CHARTS],
            suffix=["svg", "csv"],
        ),
    log:
        "<logs>/report/html.log",
    benchmark:
        "<benchmarks>/report/html.tsv"
    localrule: True
    conda:
        "../../environment.yml"
    params:
        tables=TABLES_OPTION,
        catalogue=OWN_CATALOGUE,
        results=subpath(output[0], ancestor=2),
        out=subpath(output[0], parent=True),
    message:
        "Write the report"
    shell:
        "python -m reports html {params.tables} --claims {input.claims:q} {params.catalogue}"
        " --results {params.results:q} --out {params.out:q} > {log:q} 2>&1"
