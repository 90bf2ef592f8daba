"""Only what stands between its marks is written."""

import pytest
from page_parts import parts, renewed, write

PAGE = "a\n<!-- made: one -->\nold\n<!-- end -->\nb\n<!-- made: two -->\n<!-- end -->\n"


def test_each_part_is_made_by_its_own_maker():
    found = renewed(PAGE, {"one": lambda: "x\ny", "two": lambda: "z", "more": lambda: "w"})
    assert parts(found) == {"one": "x\ny\n", "two": "z\n"}
    assert found.startswith("a\n<!-- made: one -->\nx\n")
    assert "\n<!-- end -->\nb\n<!-- made: two -->\n" in found
    assert renewed(found, {"one": lambda: "x\ny", "two": lambda: "z"}) == found


def test_a_page_without_parts_and_a_part_without_a_maker_are_refused():
    with pytest.raises(ValueError, match="no part"):
        renewed("a", {"one": str})
    with pytest.raises(ValueError, match="a part two, expected one"):
        renewed(PAGE, {"one": str})


@pytest.mark.parametrize(
    "page",
    [
        "<!-- made: one -->\nold\nmine\n<!-- made: two -->\nold\n<!-- end -->\n",
        "<!-- made: one -->\n<!-- end -->\n<!-- made: two-b -->\n<!-- end -->\n",
        "<!-- made: one -->\n<!-- end -->\n<!-- made: two -->\r\n<!-- end -->\n",
        "<!-- made: one -->\n<!-- end -->\n<!-- end -->\n",
        "<!-- made: one -->\n<!-- end -->\n<!-- made: one -->\n<!-- end -->\n",
    ],
)
def test_a_mark_that_does_not_fit_is_refused(page):
    with pytest.raises(ValueError, match="needs a line of its own"):
        renewed(page, {"one": str, "two": str})


def test_a_page_is_replaced_whole(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("long text")
    write(page, "new")
    assert page.read_text() == "new"
    assert list(tmp_path.iterdir()) == [page]
