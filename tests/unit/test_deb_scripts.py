"""Maintainer scripts are understood, or their package is refused."""

from __future__ import annotations

import pytest

from orchestrator.engines.assembler.deb.actions import (
    Action,
    Alternative,
    Copy,
    action_from_json,
    action_to_json,
)
from orchestrator.engines.assembler.deb.rule_table import RULES
from orchestrator.engines.assembler.deb.scripts import plan_actions
from orchestrator.errors import AssemblyError

EMPTY = """#!/bin/sh
# postinst of sample
set -e
case "$1" in
    configure)
    ;;
    abort-upgrade|abort-remove|abort-deconfigure)
        rm -rf /etc/sample
    ;;
    *)
        echo "postinst called with unknown argument \\`$1'" >&2
        exit 1
    ;;
esac
#DEBHELPER#
exit 0
"""


def actions(postinst: str, package: str = "sample") -> list[Action]:
    return plan_actions(package, {"postinst": postinst})


def generated(kind: str, body: str) -> str:
    return (
        f"#!/bin/sh\nset -e\n# Automatically added by {kind}/13.11.4\n{body}\n"
        "# End automatically added section\n"
    )


def test_a_package_without_scripts_leaves_nothing() -> None:
    assert plan_actions("sample", {}) == []


def test_a_script_that_only_talks_leaves_nothing() -> None:
    assert actions(EMPTY) == []


@pytest.mark.parametrize(
    "statement",
    [
        "rm -rf /etc/sample",
        "adduser --system sample",
        "touch /etc/sample.conf",
        'echo "x" > /etc/sample.conf',
        "echo `touch /etc/x`",
        ": > /etc/sample.conf",
        "(reboot)",
        "true && touch /etc/x",
        "for file in a b; do touch $file; done",
        "sample() {",
        'if [ -z "$SAMPLE" ]; then touch /etc/x; fi',
        'if [ "$1" = "upgrade" ] || true; then touch /etc/x; fi',
        "# a comment that ends in a backslash \\\nrm -rf /etc/sample",
        "update-alternatives --install /usr/bin/x x $(which y) 10",
        "update-alternatives --install /usr/bin/x x",
        "update-alternatives --install /usr/bin/x x /usr/bin/y '",
    ],
)
def test_a_statement_that_is_not_understood_is_an_error_that_quotes_it(statement: str) -> None:
    script = EMPTY.replace("configure)\n", f"configure)\n{statement}\n", 1)
    with pytest.raises(AssemblyError, match=r"sample: its postinst") as caught:
        actions(script)
    assert statement.rsplit("\n", 1)[-1] in caught.value.message
    assert "add a rule for sample" in caught.value.hint


def test_a_preinst_counts_too() -> None:
    with pytest.raises(AssemblyError, match="its preinst"):
        plan_actions("sample", {"preinst": "#!/bin/sh\ntouch /etc/x\n"})


def test_a_script_in_another_language_is_not_understood() -> None:
    with pytest.raises(AssemblyError, match="perl"):
        actions("#!/usr/bin/perl\nexit 0\n")


@pytest.mark.parametrize(
    "condition",
    [
        '[ "$1" = "upgrade" ]',
        '[ "$1" = configure ] && [ -n "$2" ]',
        '[ "$1" = "upgrade" ] && dpkg --compare-versions "$2" lt 3.7',
        'dpkg --compare-versions "$2" lt-nl 3.7',
    ],
)
def test_what_only_an_upgrade_does_is_left_out(condition: str) -> None:
    assert actions(f"#!/bin/sh\nif {condition}\nthen\n  rm -f /etc/x\nfi\n") == []


@pytest.mark.parametrize(
    "condition", ['[ "$1" = "configure" ]', 'dpkg --compare-versions "$2" lt 3.7', '[ -z "$2" ]']
)
def test_what_a_first_installation_does_counts(condition: str) -> None:
    with pytest.raises(AssemblyError):
        actions(f"#!/bin/sh\nif {condition}; then\n  rm -f /etc/x\nfi\n")


def test_the_other_branch_of_an_upgrade_counts() -> None:
    with pytest.raises(AssemblyError):
        actions('#!/bin/sh\nif [ -n "$2" ]; then\n:\nelse\ntouch /etc/x\nfi\n')


def test_text_that_looks_like_a_condition_hides_nothing() -> None:
    script = '#!/bin/sh\nif [ -n "$2" ]; then\ncat <<E\nif you upgrade\nE\nfi\ntouch /etc/x\n'
    with pytest.raises(AssemblyError):
        actions(script)


def test_alternatives_are_read_from_plain_statements() -> None:
    script = (
        "#!/bin/sh\nupdate-alternatives --quiet --install /usr/bin/pager pager \\\n"
        "  /usr/bin/less 77 --slave /usr/share/man/man1/pager.1.gz \\\n"
        "  pager.1.gz /usr/share/man/man1/less.1.gz\n"
    )
    slave = ("/usr/share/man/man1/pager.1.gz", "pager.1.gz", "/usr/share/man/man1/less.1.gz")
    assert actions(script) == [
        Alternative("/usr/bin/pager", "pager", "/usr/bin/less", 77, (slave,))
    ]


def test_alternatives_that_debhelper_generates_are_read() -> None:
    body = (
        'if [ "$1" = "configure" ] || [ "$1" = "abort-upgrade" ]; then\n'
        "    update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\nfi"
    )
    assert actions(generated("dh_installalternatives", body)) == [
        Alternative("/usr/bin/awk", "awk", "/usr/bin/mawk", 5)
    ]


def test_configuration_that_ucf_places_is_copied() -> None:
    body = 'if [ "$1" = "configure" ]; then\n\tucf "/usr/share/x/x.conf" "/etc/x.conf"\nfi'
    assert actions(generated("dh_ucf", body)) == [Copy("usr/share/x/x.conf", "etc/x.conf")]


@pytest.mark.parametrize("kind", ["dh_makeshlibs", "dh_python3", "dh_installsystemd"])
def test_known_generated_parts_leave_nothing(kind: str) -> None:
    assert actions(generated(kind, "do-something --with-force")) == []


@pytest.mark.parametrize("kind", ["dh_installsysusers", "dh_unheard_of"])
def test_an_unknown_generated_part_is_an_error(kind: str) -> None:
    with pytest.raises(AssemblyError, match=f"{kind}: do-something"):
        actions(generated(kind, "do-something"))


def test_only_known_subcommands_of_the_upgrade_tool_pass() -> None:
    conffile = 'dpkg-maintscript-helper rm_conffile /etc/x 1.0 -- "$@"'
    assert actions(generated("dh_installdeb", conffile)) == []
    with pytest.raises(AssemblyError):
        actions(generated("dh_installdeb", "touch /etc/x"))


def test_a_rule_stands_for_what_its_package_scripts_do() -> None:
    found = actions("#!/bin/sh\n. /usr/share/debconf/confmodule\nanything\n", "tzdata")
    assert tuple(found) == RULES["tzdata"].actions


def test_every_rule_says_why() -> None:
    assert all(rule.why for rule in RULES.values())


def test_every_action_of_a_rule_survives_the_way_through_json() -> None:
    for rule in RULES.values():
        for action in rule.actions:
            assert action_from_json(action_to_json(action)) == action
