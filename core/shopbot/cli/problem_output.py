"""Problems of configurations, for scripts."""

from collections.abc import Mapping

from shopbot.config.problem import Problem


def problem_as_json(problem: Problem) -> Mapping[str, object]:
    """Give everything that a problem says."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "message": problem.message,
    }
