"""Every trap of reading Dockerfiles that other tools fell into has tests."""

from __future__ import annotations

from pathlib import Path

import pytest

TRAPS = {
    "all FROM lines": "dockerfile: every_from_that_the_target_needs_is_found",
    "COPY --from": "dockerfile: copy_from_names_an_image_a_stage_or_a_number",
    "RUN --mount from": "dockerfile: run_mount_from_names_an_image_or_a_stage",
    "stage names": "dockerfile: stage_names_do_not_heed_case",
    "stage numbers": "dockerfile: copy_from_names_an_image_a_stage_or_a_number",
    "a stage that shadows an image": "siblings: a_stage_shadows_an_image_of_the_workspace",
    "ARG before FROM": (
        "dockerfile: an_arg_before_from_is_put_in_and_build_args_go_before_its_default"
    ),
    "ARG defaults that use other ARGs": "dockerfile: an_arg_default_uses_other_args",
    "${X:-y}, ${X:+y}": "dockerfile: defaults_and_alternatives_of_variables",
    "quotes": "dockerfile: defaults_and_alternatives_of_variables",
    "--platform": "dockerfile: platform_is_no_part_of_the_reference",
    "line continuations": "dockerfile: lines_continue_over_comments_and_empty_lines",
    "the escape directive": "dockerfile: the_escape_directive_changes_what_continues_a_line",
    "here-documents": "dockerfile: what_a_heredoc_holds_is_no_instruction",
    "comments between continued lines": "dockerfile: lines_continue_over_comments_and_empty_lines",
    "ONBUILD": "dockerfile: onbuild_makes_the_whole_context_count_and_its_images_are_found",
    "a digest pin on a sibling": "siblings: a_pinned_or_a_foreign_name_is_external",
    "an implied latest": "siblings: a_sibling_is_known_with_and_without_prefix_and_tag",
    "with and without a prefix": "siblings: a_sibling_is_known_with_and_without_prefix_and_tag",
    "folder name unlike image name": (
        "siblings: a_folder_named_unlike_its_image_is_known_by_the_image_s_name"
    ),
    "several images of one Dockerfile, by argument": (
        "siblings: several_names_share_a_folder_that_then_makes_none_of_its_own"
    ),
    "several images of one Dockerfile, by target": (
        "dockerfile: one_dockerfile_makes_several_images_by_target_or_argument"
    ),
    "identity in the tag": "siblings: identity_in_the_tag_is_an_alias_of_each_image",
    "one name, several tag variants": (
        "siblings: one_image_name_with_several_tag_variants_is_an_image_a_variant"
    ),
    "an image named as what it stands on": (
        "siblings: an_image_s_own_name_in_its_own_dockerfile_is_external"
    ),
    "ARG without value": "dockerfile: an_arg_without_value_in_a_from_is_an_error_with_its_line",
    "a placeholder": "dockerfile: a_placeholder_in_a_from_is_an_error_with_its_line",
    "the error's file and line": (
        "siblings: what_a_from_leaves_open_is_an_error_with_file_and_line"
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_has_its_test(trap: str) -> None:
    module, _, name = TRAPS[trap].partition(": ")
    text = (Path(__file__).parent / f"test_{module}.py").read_text("utf-8")
    assert f"\ndef test_{name}(" in text
