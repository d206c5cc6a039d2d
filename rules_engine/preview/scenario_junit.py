"""Tests of rules as JUnit XML, in the shape in which build servers know it from pytest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from .scenario_result import Played, details

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def junit(played: Sequence[tuple[Played, float]]) -> str:
    """A `testsuites` document with one suite: a test case for each test, with the seconds that it took."""
    suite = ET.Element(
        "testsuite",
        name="rules-engine",
        errors="0",
        failures=str(sum(not each.is_ok for each, _ in played)),
        skipped="0",
        tests=str(len(played)),
        time=f"{sum(seconds for _, seconds in played):.3f}",
    )
    for each, seconds in played:
        suite.append(_case(each, seconds))
    root = ET.Element("testsuites", name="rules-engine tests")
    root.append(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(played: Played, seconds: float) -> ET.Element:
    scenario = played.scenario
    folder = re.sub(r"\.ya?ml$", "", scenario.place.path).replace("/", ".").strip(".")
    case = ET.Element(
        "testcase",
        classname=_sound(f"{folder}.{scenario.rule}"),
        name=_sound(scenario.name),
        file=_sound(scenario.place.path),
        line=str(scenario.place.line),
        time=f"{seconds:.3f}",
    )
    if not played.is_ok:
        said = f"expected {'; '.join(played.expected)}, and it was {'; '.join(played.actual)}"
        failure = ET.SubElement(case, "failure", message=_sound(said))
        parts = (f"{part}:\n" + "".join(f"    {line}\n" for line in lines) for part, lines in details(played))
        failure.text = _sound("".join(parts))
    return case


def _sound(text: str) -> str:
    return _NOT_XML.sub("�", text)
