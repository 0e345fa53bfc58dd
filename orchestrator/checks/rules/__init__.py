"""The rules of orch, in the order in which they are listed. One module a family."""

from orchestrator.checks.rule import Rule
from orchestrator.checks.rules import (
    bases,
    constraints,
    contents,
    cuda_mismatch,
    files,
    pythons,
    requirements,
    services,
)

RULES: tuple[Rule, ...] = (
    files.invalid_file,
    files.suppression_without_reason,
    files.unused_suppression,
    requirements.requirement_in_base,
    requirements.requirement_contradicts_base,
    requirements.requirement_twice,
    constraints.requirement_against_constraints,
    constraints.constraint_not_applied,
    constraints.constraint_unused,
    constraints.pins_differ,
    bases.unused_base,
    bases.deprecated_base,
    bases.base_not_pinned,
    cuda_mismatch.cuda_mismatch,
    pythons.python_version,
    pythons.marker_never_applies,
    services.runs_as_root,
    services.no_healthcheck,
    services.health_port,
    services.gate_without_effect,
    contents.secret_in_config,
    contents.compiler_in_image,
)
