"""YAML without its silent traps: refuses values that YAML 1.1 reads differently from how they look."""

import math
import re
from typing import Any

import yaml

PREFIX = "tag:yaml.org,2002:"
PLAIN_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
PLAIN_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
# numbers of YAML 1.2 and of Python that YAML 1.1 leaves as text
NUMBER_AS_TEXT = re.compile(
    r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)[eE][-+]?[0-9]+|0o[0-7]+|[-+]?0[0-9]*[89][0-9]*"
)


class PlainLoader(yaml.SafeLoader):
    """Refuses a key twice, a key that is not a text, infinite numbers, and values that are not what they seem."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are different texts."""
        seen = set()
        for key_node, value_node in node.value:
            if key_node.tag == f"{PREFIX}merge":
                continue
            if key_node.tag != f"{PREFIX}str":
                raise _refused(key_node, f"key {key_node.value!r} is not text; put it in quotes")
            if key_node.value in seen:
                raise _refused(key_node, f"{key_node.value!r} is here twice; rename or remove one")
            if "." in key_node.value and value_node.value == "" and value_node.style is None:
                raise _refused(key_node, f"{key_node.value} has no value; write one, or null")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep=True)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number in decimal digits; no octal, hexadecimal or sexagesimal one, no underscores."""
        value: int = super().construct_yaml_int(node)
        if not PLAIN_INT.fullmatch(node.value):
            raise _read_as(node, str(value))
        return value

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """A finite number in decimal digits."""
        value: float = super().construct_yaml_float(node)
        if not math.isfinite(value):
            raise _refused(node, f"{node.value} is not a finite number")
        if not PLAIN_FLOAT.fullmatch(node.value):
            raise _read_as(node, f"{value:g}")
        return value

    def construct_yaml_bool(self, node: yaml.ScalarNode) -> bool:
        """true or false; not yes, no, on, off."""
        value: bool = super().construct_yaml_bool(node)
        if node.value.lower() not in ("true", "false"):
            raise _read_as(node, str(value).lower(), "true or false")
        return value

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        """Nothing here is a date."""
        raise _refused(node, f"YAML reads {node.value} as a date; put the text in quotes")

    def construct_yaml_str(self, node: yaml.ScalarNode) -> str:
        """Text that, without quotes, looks like nothing else."""
        if node.style is None and NUMBER_AS_TEXT.fullmatch(node.value):
            raise _refused(
                node,
                f"YAML reads {node.value} as text; write a number such as {_number(node.value)}, or put "
                "the text in quotes",
            )
        if node.style is None and node.value == "None":
            raise _refused(node, "YAML reads None as text; write null, or put the text in quotes")
        value: str = super().construct_yaml_str(node)
        return value


for _kind in ("int", "float", "bool", "timestamp", "str"):
    PlainLoader.add_constructor(PREFIX + _kind, getattr(PlainLoader, f"construct_yaml_{_kind}"))


def _read_as(
    node: yaml.ScalarNode, value: str, plain: str = "the number in plain digits"
) -> yaml.MarkedYAMLError:
    return _refused(
        node,
        f"YAML reads {node.value} as {value}; write {plain}, or put the text {node.value!r} in quotes",
    )


def _refused(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _number(text: str) -> str:
    """A text's number as YAML 1.1 reads one."""
    digits = text.replace("_", "")
    if digits.startswith("0o"):
        return str(int(digits, 8))
    if re.fullmatch(r"[-+]?[0-9]+", digits):
        return str(int(digits))
    value = float(digits)
    return repr(value) if PLAIN_FLOAT.fullmatch(repr(value)) else f"{value:.1e}"
