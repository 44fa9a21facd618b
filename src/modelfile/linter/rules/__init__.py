"""All rules, in the order of their codes."""

from __future__ import annotations

from modelfile.linter.rule import Rule
from modelfile.linter.rules.parameters.changed_default import changed_default
from modelfile.linter.rules.parameters.context_beyond_training import context_beyond_training
from modelfile.linter.rules.parameters.deprecated_parameter import deprecated_parameter
from modelfile.linter.rules.parameters.duplicate_stop import duplicate_stop
from modelfile.linter.rules.parameters.empty_stop import empty_stop
from modelfile.linter.rules.parameters.excessive_precision import excessive_precision
from modelfile.linter.rules.parameters.foreign_stop import foreign_stop
from modelfile.linter.rules.parameters.harmful_value import harmful_value
from modelfile.linter.rules.parameters.ineffective_parameter import ineffective_parameter
from modelfile.linter.rules.parameters.inline_comment import inline_comment
from modelfile.linter.rules.parameters.instruction_as_parameter import instruction_as_parameter
from modelfile.linter.rules.parameters.invalid_parameter_value import invalid_parameter_value
from modelfile.linter.rules.parameters.non_finite_number import non_finite_number
from modelfile.linter.rules.parameters.out_of_range import out_of_range
from modelfile.linter.rules.parameters.removed_parameter import removed_parameter
from modelfile.linter.rules.parameters.seed_without_temperature import seed_without_temperature
from modelfile.linter.rules.parameters.short_context import short_context
from modelfile.linter.rules.parameters.stop_with_newline import stop_with_newline
from modelfile.linter.rules.parameters.suspect_value import suspect_value
from modelfile.linter.rules.parameters.suspicious_stop import suspicious_stop
from modelfile.linter.rules.parameters.unknown_parameter import unknown_parameter
from modelfile.linter.rules.parameters.unset_context import unset_context
from modelfile.linter.rules.references.absolute_path import absolute_path
from modelfile.linter.rules.references.ambiguous_path import ambiguous_path
from modelfile.linter.rules.references.digest_as_from import digest_as_from
from modelfile.linter.rules.references.digest_in_from import digest_in_from
from modelfile.linter.rules.references.disallowed_registry import disallowed_registry
from modelfile.linter.rules.references.foreign_renderer import foreign_renderer
from modelfile.linter.rules.references.hf_without_host import hf_without_host
from modelfile.linter.rules.references.hf_without_quantization import hf_without_quantization
from modelfile.linter.rules.references.insecure_registry import insecure_registry
from modelfile.linter.rules.references.invalid_model_name import invalid_model_name
from modelfile.linter.rules.references.missing_end_of_name import missing_end_of_name
from modelfile.linter.rules.references.missing_file import missing_file
from modelfile.linter.rules.references.missing_from_lock import missing_from_lock
from modelfile.linter.rules.references.misspelled_model import misspelled_model
from modelfile.linter.rules.references.path_outside_project import path_outside_project
from modelfile.linter.rules.references.prompt_for_embedding import prompt_for_embedding
from modelfile.linter.rules.references.requires_too_low import requires_too_low
from modelfile.linter.rules.references.stale_lock import stale_lock
from modelfile.linter.rules.references.unknown_renderer import unknown_renderer
from modelfile.linter.rules.references.unpinned_base import unpinned_base
from modelfile.linter.rules.references.untuned_base import untuned_base
from modelfile.linter.rules.references.wrong_file import wrong_file
from modelfile.linter.rules.security.chat_template_code import chat_template_code
from modelfile.linter.rules.security.personal_data import personal_data
from modelfile.linter.rules.security.secret_in_text import secret_in_text
from modelfile.linter.rules.security.symlink_escape import symlink_escape
from modelfile.linter.rules.structure.conflict_markers import conflict_markers
from modelfile.linter.rules.structure.crlf_in_value import crlf_in_value
from modelfile.linter.rules.structure.duplicate_adapter import duplicate_adapter
from modelfile.linter.rules.structure.duplicate_instruction import duplicate_instruction
from modelfile.linter.rules.structure.empty_value import empty_value
from modelfile.linter.rules.structure.extra_space import extra_space
from modelfile.linter.rules.structure.invalid_requires import invalid_requires
from modelfile.linter.rules.structure.invalid_role import invalid_role
from modelfile.linter.rules.structure.invalid_utf_8 import invalid_utf_8
from modelfile.linter.rules.structure.missing_argument import missing_argument
from modelfile.linter.rules.structure.missing_from import missing_from
from modelfile.linter.rules.structure.multiple_from import multiple_from
from modelfile.linter.rules.structure.shell_remains import shell_remains
from modelfile.linter.rules.structure.swallowed_instruction import swallowed_instruction
from modelfile.linter.rules.structure.text_after_quote import text_after_quote
from modelfile.linter.rules.structure.unclosed_quote import unclosed_quote
from modelfile.linter.rules.structure.unknown_instruction import unknown_instruction
from modelfile.linter.rules.style.unformatted import unformatted
from modelfile.linter.rules.style.unused_suppression import unused_suppression
from modelfile.linter.rules.template.bos_in_template import bos_in_template
from modelfile.linter.rules.template.comment_in_template import comment_in_template
from modelfile.linter.rules.template.date_in_template import date_in_template
from modelfile.linter.rules.template.dead_template import dead_template
from modelfile.linter.rules.template.doubled_message import doubled_message
from modelfile.linter.rules.template.dropped_messages import dropped_messages
from modelfile.linter.rules.template.failing_template import failing_template
from modelfile.linter.rules.template.field_outside_guard import field_outside_guard
from modelfile.linter.rules.template.foreign_fill_in import foreign_fill_in
from modelfile.linter.rules.template.foreign_template import foreign_template
from modelfile.linter.rules.template.markerless_template import markerless_template
from modelfile.linter.rules.template.misplaced_system_marker import misplaced_system_marker
from modelfile.linter.rules.template.missing_newline import missing_newline
from modelfile.linter.rules.template.missing_stop import missing_stop
from modelfile.linter.rules.template.misspelled_marker import misspelled_marker
from modelfile.linter.rules.template.mixed_markers import mixed_markers
from modelfile.linter.rules.template.response_cuts_prompt import response_cuts_prompt
from modelfile.linter.rules.template.slow_template import slow_template
from modelfile.linter.rules.template.stop_not_in_template import stop_not_in_template
from modelfile.linter.rules.template.system_twice import system_twice
from modelfile.linter.rules.template.system_unguarded import system_unguarded
from modelfile.linter.rules.template.template_drops_capability import template_drops_capability
from modelfile.linter.rules.template.template_drops_thinking import template_drops_thinking
from modelfile.linter.rules.template.template_drops_tools import template_drops_tools
from modelfile.linter.rules.template.template_ignored import template_ignored
from modelfile.linter.rules.template.template_syntax_error import template_syntax_error
from modelfile.linter.rules.template.template_unknown_function import template_unknown_function
from modelfile.linter.rules.template.template_unknown_variable import template_unknown_variable
from modelfile.linter.rules.template.template_whitespace import template_whitespace
from modelfile.linter.rules.template.template_without_prompt import template_without_prompt
from modelfile.linter.rules.template.template_without_response import template_without_response
from modelfile.linter.rules.template.tool_printed_as_struct import tool_printed_as_struct
from modelfile.linter.rules.template.unclosed_turn import unclosed_turn
from modelfile.linter.rules.template.unknown_role import unknown_role
from modelfile.linter.rules.template.unnamed_roles import unnamed_roles
from modelfile.linter.rules.template.unopened_turn import unopened_turn
from modelfile.linter.rules.template.unused_system import unused_system
from modelfile.linter.rules.text.conflicting_demands import conflicting_demands
from modelfile.linter.rules.text.contradicting_comment import contradicting_comment
from modelfile.linter.rules.text.contradicting_example import contradicting_example
from modelfile.linter.rules.text.contradiction import contradiction
from modelfile.linter.rules.text.fixed_date import fixed_date
from modelfile.linter.rules.text.homoglyph import homoglyph
from modelfile.linter.rules.text.html_entity import html_entity
from modelfile.linter.rules.text.invisible_or_bidi_character import invisible_or_bidi_character
from modelfile.linter.rules.text.license_mismatch import license_mismatch
from modelfile.linter.rules.text.long_system_prompt import long_system_prompt
from modelfile.linter.rules.text.markers_in_system import markers_in_system
from modelfile.linter.rules.text.missing_capability import missing_capability
from modelfile.linter.rules.text.missing_license import missing_license
from modelfile.linter.rules.text.missing_purpose import missing_purpose
from modelfile.linter.rules.text.mojibake import mojibake
from modelfile.linter.rules.text.placeholder import placeholder
from modelfile.linter.rules.text.single_quotes import single_quotes
from modelfile.linter.rules.text.template_in_system import template_in_system
from modelfile.linter.rules.text.typographic_quotes import typographic_quotes
from modelfile.linter.rules.text.unescaped_sequence import unescaped_sequence
from modelfile.linter.rules.text.unexpanded_reference import unexpanded_reference
from modelfile.linter.rules.text.unknown_switch import unknown_switch
from modelfile.linter.rules.text.unprintable_character import unprintable_character
from modelfile.linter.rules.text.unusual_message_order import unusual_message_order
from modelfile.linter.rules.weights.adapter_as_from import adapter_as_from
from modelfile.linter.rules.weights.adapter_format import adapter_format
from modelfile.linter.rules.weights.adapter_mismatch import adapter_mismatch
from modelfile.linter.rules.weights.corrupt_gguf import corrupt_gguf
from modelfile.linter.rules.weights.does_not_fit import does_not_fit
from modelfile.linter.rules.weights.foreign_adapter import foreign_adapter
from modelfile.linter.rules.weights.git_lfs_pointer import git_lfs_pointer
from modelfile.linter.rules.weights.html_instead_of_weights import html_instead_of_weights
from modelfile.linter.rules.weights.model_as_adapter import model_as_adapter
from modelfile.linter.rules.weights.no_chat_template import no_chat_template
from modelfile.linter.rules.weights.not_gguf import not_gguf
from modelfile.linter.rules.weights.projector_as_adapter import projector_as_adapter
from modelfile.linter.rules.weights.projector_missing import projector_missing
from modelfile.linter.rules.weights.quantize_not_possible import quantize_not_possible
from modelfile.linter.rules.weights.split_weights import split_weights
from modelfile.linter.rules.weights.truncated_weights import truncated_weights
from modelfile.linter.rules.weights.unsupported_architecture import unsupported_architecture
from modelfile.linter.rules.weights.unsupported_quantization import unsupported_quantization
from modelfile.linter.rules.weights.unusable_weights import unusable_weights

RULES: tuple[Rule, ...] = (
    missing_from,
    unknown_instruction,
    missing_argument,
    unclosed_quote,
    text_after_quote,
    swallowed_instruction,
    extra_space,
    invalid_role,
    duplicate_instruction,
    multiple_from,
    duplicate_adapter,
    invalid_utf_8,
    crlf_in_value,
    empty_value,
    invalid_requires,
    conflict_markers,
    shell_remains,
    unpinned_base,
    missing_from_lock,
    stale_lock,
    digest_in_from,
    invalid_model_name,
    ambiguous_path,
    missing_file,
    absolute_path,
    path_outside_project,
    insecure_registry,
    disallowed_registry,
    hf_without_quantization,
    requires_too_low,
    hf_without_host,
    digest_as_from,
    missing_end_of_name,
    wrong_file,
    prompt_for_embedding,
    unknown_renderer,
    misspelled_model,
    untuned_base,
    foreign_renderer,
    unknown_parameter,
    invalid_parameter_value,
    non_finite_number,
    excessive_precision,
    deprecated_parameter,
    removed_parameter,
    out_of_range,
    changed_default,
    seed_without_temperature,
    duplicate_stop,
    inline_comment,
    ineffective_parameter,
    suspicious_stop,
    foreign_stop,
    harmful_value,
    suspect_value,
    context_beyond_training,
    empty_stop,
    stop_with_newline,
    instruction_as_parameter,
    unset_context,
    short_context,
    template_syntax_error,
    template_unknown_function,
    template_unknown_variable,
    template_without_prompt,
    template_without_response,
    unused_system,
    template_drops_tools,
    template_drops_thinking,
    date_in_template,
    dead_template,
    missing_stop,
    template_whitespace,
    failing_template,
    foreign_template,
    markerless_template,
    system_unguarded,
    system_twice,
    template_drops_capability,
    unknown_role,
    bos_in_template,
    stop_not_in_template,
    tool_printed_as_struct,
    response_cuts_prompt,
    misspelled_marker,
    mixed_markers,
    template_ignored,
    unclosed_turn,
    unopened_turn,
    missing_newline,
    dropped_messages,
    field_outside_guard,
    slow_template,
    comment_in_template,
    misplaced_system_marker,
    foreign_fill_in,
    doubled_message,
    unnamed_roles,
    unprintable_character,
    invisible_or_bidi_character,
    unescaped_sequence,
    single_quotes,
    long_system_prompt,
    unusual_message_order,
    contradiction,
    missing_purpose,
    missing_license,
    template_in_system,
    placeholder,
    unexpanded_reference,
    markers_in_system,
    mojibake,
    typographic_quotes,
    homoglyph,
    license_mismatch,
    missing_capability,
    conflicting_demands,
    contradicting_comment,
    unknown_switch,
    contradicting_example,
    fixed_date,
    html_entity,
    unusable_weights,
    projector_as_adapter,
    model_as_adapter,
    adapter_as_from,
    foreign_adapter,
    not_gguf,
    git_lfs_pointer,
    html_instead_of_weights,
    truncated_weights,
    corrupt_gguf,
    split_weights,
    unsupported_architecture,
    unsupported_quantization,
    adapter_mismatch,
    adapter_format,
    projector_missing,
    quantize_not_possible,
    no_chat_template,
    does_not_fit,
    secret_in_text,
    symlink_escape,
    personal_data,
    chat_template_code,
    unformatted,
    unused_suppression,
)
