"""Print every skipped test of a JUnit report; fail unless each lacks something allowed to lack."""

import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter

ALLOWED = re.compile(r"^no (GPU|BART|data folder)\b")


def main(report: str) -> int:
    """Return the exit status: 1 if a test was skipped for another reason, or none ran."""
    cases = list(ET.parse(report).iter("testcase"))
    skipped = [(case, mark) for case in cases if (mark := case.find("skipped")) is not None]
    reasons = Counter[str]()
    for case, mark in skipped:
        reason = mark.get("message", "")
        allowed = mark.get("type") == "pytest.skip" and ALLOWED.match(reason) is not None
        reasons["allowed" if allowed else "refused"] += 1
        sign = "skipped" if allowed else "REFUSED"
        print(f"{sign}  {case.get('classname')}::{case.get('name')}: {reason}")
    print(
        f"{len(cases)} tests, {len(skipped)} skipped, {reasons['refused']} of them without excuse"
    )
    if reasons["refused"]:
        print("a test may be skipped for want of a GPU, of BART or of the data folder only")
    return 1 if reasons["refused"] or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
