"""The rules write the very files that r3cnn.core.layout names."""

from r3cnn.core.layout import CHECKOUT, NAMES, gallery_of, resamples_of


def test_the_rules_and_the_layout_spell_the_same_names():
    rules = "".join(path.read_text() for path in sorted((CHECKOUT / "workflow").rglob("*.smk")))
    training = NAMES.training("{id}", "{seed}")
    predictions = NAMES.predictions("{id}", "{seed}")
    score = NAMES.score("{id}", "{seed}", "{loops}")
    expected = [
        NAMES.data,
        training.config,
        training.checkpoint,
        training.manifest,
        training.histogram,
        training.log,
        training.validation,
        predictions,
        gallery_of(predictions),
        score,
        resamples_of(score),
        NAMES.measurement("{id}"),
        NAMES.report / "index.html",
    ]
    missing = [
        path.as_posix() for path in expected if f'"<results>/{path.as_posix()}"' not in rules
    ]
    assert missing == []
    state = "state/{{id}}/seed{{seed}}"  # an f-string in the rule
    assert str(NAMES.state("{{id}}", "{{seed}}")) == state
    assert state in rules
