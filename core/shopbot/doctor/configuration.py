"""The configuration's own problems, and the environment that it is read with."""

from collections.abc import Iterator

from shopbot.host.blueprint import Checked
from shopbot.model.finding import Finding

AREA = "configuration"


def configuration_findings(checked: Checked) -> Iterator[Finding]:
    """Say what `shopbot check` says, and which variables are in use."""
    for problem in checked.problems:
        if problem.severity == "error":
            yield Finding.problem(
                str(problem),
                meaning="the host does not start with it, and nothing else can be looked at",
                to_do="mend it in the file or the environment; shopbot check looks again, without the network",
                area=AREA,
            )
        else:
            yield Finding.warning(
                str(problem),
                meaning="the host starts, and does something else than was probably meant",
                to_do="see whether it is meant so; shopbot check looks again, without the network",
                area=AREA,
            )
    if checked.variables:
        yield Finding.ok(f"set in the environment: {', '.join(sorted(checked.variables))}", area=AREA)
    if not checked.problems:
        yield Finding.ok("shopbot.yaml has no problems", area=AREA)
