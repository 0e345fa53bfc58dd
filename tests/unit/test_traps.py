"""Every trap of fingerprints that other builders fell into has tests, for both definitions."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import pytest

UNIT = Path(__file__).parent
ONLY_DOCKERFILES = {"Dockerfile outside the context", "ARG default in FROM"}
TRAPS = """
executable bit
  recipes
    fingerprint: chmod_x_changes_the_fingerprint
    fingerprint: other_mode_bits_do_not_change_the_fingerprint
    fingerprint: the_umask_of_the_checkout_does_not_reach_the_fingerprint
  Dockerfiles
    fingerprint_dockerfile: chmod_x_changes_the_fingerprint_and_other_modes_do_not
mtime, stat cache
  recipes
    fingerprint: touching_a_file_does_not_change_the_fingerprint
    fingerprint: an_edit_of_equal_size_within_one_clock_tick_changes_the_fingerprint
    digests: an_edit_within_a_clock_tick_and_of_the_same_size_is_seen
    digests: an_edit_with_the_old_time_put_back_is_seen_by_its_ctime
  Dockerfiles
    fingerprint_dockerfile: touching_a_file_changes_nothing
    fingerprint_dockerfile: an_edit_of_the_same_size_within_a_clock_tick_is_seen
symlink
  recipes
    fingerprint: a_retargeted_link_changes_the_fingerprint
    files: a_link_out_of_its_folder_is_an_error
  Dockerfiles
    fingerprint_dockerfile: a_retargeted_link_is_a_change
    context: a_link_out_of_the_context_is_an_error
rename, move
  recipes
    fingerprint: renaming_a_file_changes_the_fingerprint
    fingerprint: moving_a_file_between_folders_changes_the_fingerprint
  Dockerfiles
    fingerprint_dockerfile: a_file_moved_between_folders_with_equal_bytes_is_a_change
delete
  recipes
    fingerprint: deleting_a_file_changes_the_fingerprint
    files: a_missing_source_is_an_error
  Dockerfiles
    fingerprint_dockerfile: a_deleted_file_is_a_change
    context: a_missing_copy_source_is_an_error_with_its_line
ignore files
  recipes
    traps_recipes: exclude_rules_that_select_the_same_are_no_change
    traps_recipes: git_s_ignore_rules_in_subfolders_hide_nothing_from_a_recipe
  Dockerfiles
    context: ignore_patterns_follow_moby_s_rules
    context: the_dockerfile_s_own_ignore_file_goes_before_the_context_s
    fingerprint_dockerfile: an_ignore_file_that_selects_the_same_is_no_change
    fingerprint_dockerfile: a_dockerfile_s_own_ignore_file_that_selects_the_same_is_no_change
    fingerprint_dockerfile: git_s_ignore_rules_are_none_of_a_build_s
untracked, dirty
  recipes
    fingerprint: an_untracked_and_a_dirty_file_change_the_fingerprint
    fingerprint: what_git_does_does_not_change_the_fingerprint
  Dockerfiles
    traps_dockerfiles: untracked_and_dirty_files_count_and_what_git_does_not
submodules
  recipes
    traps_recipes: local_edits_inside_a_submodule_count
  Dockerfiles
    traps_dockerfiles: local_edits_inside_a_real_submodule_count
Dockerfile outside the context
  Dockerfiles
    fingerprint_dockerfile: a_dockerfile_outside_the_context_counts
build args, env, target, platform
  recipes
    fingerprint: each_input_counts
    traps_recipes: each_value_of_the_configuration_counts
  Dockerfiles
    fingerprint_dockerfile: each_build_arg_and_the_target_count
    fingerprint_dockerfile: the_platform_counts
    fingerprint_dockerfile: env_of_a_dockerfile_counts
    fingerprint_dockerfile: a_secret_is_no_input
ARG default in FROM
  Dockerfiles
    fingerprint_dockerfile: an_arg_default_in_from_is_resolved_before_hashing
base tag moved upstream
  recipes
    traps_recipes: a_base_that_moved_upstream_counts_by_its_packages_bytes
    external_verbs: a_moved_pin_rebuilds_the_recipe_on_the_new_image_and_is_explained
  Dockerfiles
    fingerprint_dockerfile: an_external_base_is_its_digest
    traps_dockerfiles: an_external_base_whose_digest_moves_reaches_what_stands_on_it
    traps_dockerfiles: a_tag_that_moved_upstream_rebuilds_what_stands_on_it_when_its_pin_moves
    external_verbs: a_tag_that_moves_upstream_changes_nothing_until_the_pin_is_moved
grandparent
  recipes
    fingerprint: a_change_two_tiers_up_reaches_every_descendant_and_nobody_else
  Dockerfiles
    fingerprint_dockerfile: a_change_two_tiers_up_reaches_every_descendant
    traps_dockerfiles: a_change_two_tiers_up_reaches_through_stages_copies_and_mounts
shared context
  recipes
    traps_recipes: two_images_over_one_shared_folder_each_see_only_what_they_copy
  Dockerfiles
    fingerprint_dockerfile: two_images_over_one_folder_each_see_what_they_use
checkout path, hostname, locale, time zone, user
  recipes
    fingerprint: the_fingerprint_does_not_hold_the_checkout_s_path
    fingerprint: locale_time_zone_and_user_do_not_reach_the_fingerprint
    traps_recipes: hostname_and_user_do_not_reach_the_fingerprint
    engine: no_setting_of_the_machine_reaches_a_digest
  Dockerfiles
    fingerprint_dockerfile: the_checkout_s_path_does_not_count
    fingerprint_dockerfile: locale_time_zone_and_user_do_not_count
    traps_dockerfiles: hostname_and_user_do_not_reach_the_fingerprint
timestamps in a parent's id
  recipes
    traps_recipes: no_timestamp_or_id_of_a_parent_is_in_its_childs_key
  Dockerfiles
    traps_dockerfiles: no_timestamp_or_id_of_a_parent_is_in_its_childs_key
tag trusted over content
  recipes
    traps_recipes: a_name_in_the_layout_is_no_proof
  Dockerfiles
    traps_dockerfiles: an_image_that_is_there_is_no_proof_without_its_fingerprint
failed run recorded as done
  recipes
    cli: a_failed_build_is_not_recorded
    schedule: only_what_succeeded_is_recorded
  Dockerfiles
    schedule: only_what_succeeded_is_recorded
git failed, shallow clone, no merge base
  recipes
    since: no_repository_chooses_everything_and_says_so
    since: a_shallow_clone_chooses_everything_and_says_so
    since: a_branch_without_common_commit_chooses_everything_and_says_so
  Dockerfiles
    traps_dockerfiles: where_git_cannot_tell_every_image_is_selected_and_it_says_so
constraints file
  recipes
    fingerprint: a_constraint_about_a_package_no_image_has_leaves_lock_and_fingerprints
  Dockerfiles
    traps_dockerfiles: the_constraints_are_no_input
schema
  recipes
    traps_recipes: an_orch_that_builds_differently_changes_every_fingerprint
  Dockerfiles
    traps_dockerfiles: an_orch_that_builds_differently_changes_every_fingerprint
"""
"""Traps; below each the definitions, and their tests as MODULE: NAME."""


@lru_cache
def functions_of(module: str) -> set[str]:
    tree = ast.parse((UNIT / f"test_{module}.py").read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def rows() -> dict[str, dict[str, list[str]]]:
    """Return the tests of each trap, by definition."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in TRAPS.strip().splitlines():
        if not line.startswith(" "):
            definitions = found[line] = {}
        elif not line.startswith("    "):
            tests = definitions[line.strip()] = []
        else:
            tests.append(line.strip())
    return found


@pytest.mark.parametrize("trap", rows())
def test_a_trap_has_its_tests(trap: str) -> None:
    tests = rows()[trap]
    both = {"Dockerfiles"} if trap in ONLY_DOCKERFILES else {"recipes", "Dockerfiles"}
    assert tests.keys() == both
    for test in (test for names in tests.values() for test in names):
        module, _, name = test.partition(": ")
        assert f"test_{name}" in functions_of(module)
