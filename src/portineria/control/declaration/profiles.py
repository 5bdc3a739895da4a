# SPDX-License-Identifier: Apache-2.0
"""Function profiles by name. One that is declared otherwise than it is becomes its next version."""

from functools import partial

from portineria.control.access.profiles import set_profile
from portineria.control.declaration.document import Declaration, DeclaredProfile
from portineria.control.declaration.plan import Plan, Work
from portineria.control.declaration.present import Present
from portineria.policy.function_profile import BUILT_IN, encode_profile


def plan_profiles(declaration: Declaration, present: Present, plan: Plan) -> None:
    for i, declared in enumerate(declaration.profile):
        row = present.profiles.get(declared.name)
        wanted = declared.profile
        act = partial(_set_profile, declared=declared)
        holds = f", {len(wanted.hold)} that hold" if wanted.hold else ""
        trial = ", noting only" if wanted.notes_only else ""
        what = f"profile {declared.name}: {len(wanted.clauses)} clauses{holds}{trial}"
        if row is None:
            plan.add(f"profile[{i}]", what, act)
        elif bytes(row.content) != encode_profile(wanted):
            plan.change(f"profile[{i}]", f"{what}, version {row.version + 1}, holds at once for what runs", act)
    known = {*BUILT_IN, *present.profiles, *(declared.name for declared in declaration.profile)}
    for i, rule in enumerate(declaration.rule):
        if rule.profile and rule.profile not in known:
            there = ", ".join(sorted(known))
            plan.faults.append(f"rule[{i}].profile: there is no profile {rule.profile}; one of {there}")


def _set_profile(work: Work, *, declared: DeclaredProfile) -> None:
    set_profile(
        actor=work.actor,
        organisation=work.organisation,
        name=declared.name,
        clauses=declared.profile.clauses,
        hold=declared.profile.hold,
        notes_only=declared.notes_only,
    )
