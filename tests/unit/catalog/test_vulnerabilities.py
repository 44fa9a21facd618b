"""Known vulnerabilities of Ollama by version."""

import re

import pytest

from modelfile.catalog.versions import Version
from modelfile.catalog.vulnerabilities import VULNERABILITIES, vulnerabilities_of


def test_each_vulnerability_has_its_source() -> None:
    assert all(re.fullmatch(r"CVE-20\d\d-\d{4,6}", item.cve) for item in VULNERABILITIES)
    assert all(re.match("https://(pkg.go.dev/vuln/GO-|github.com/ollama/)", item.source) for item in VULNERABILITIES)
    assert len({item.cve for item in VULNERABILITIES}) == len(VULNERABILITIES)
    assert [*VULNERABILITIES] == sorted(VULNERABILITIES, key=lambda item: item.fixed)


@pytest.mark.parametrize(
    ("version", "count"),
    [("0.1.28", 8), ("0.1.29", 7), ("0.1.33", 7), ("0.1.34", 5), ("0.9.3", 2), ("0.17.1-rc2", 1), ("0.17.1", 0)],
)
def test_a_version_has_the_vulnerabilities_that_later_releases_fix(version: str, count: int) -> None:
    assert len(vulnerabilities_of(Version.parse(version))) == count
