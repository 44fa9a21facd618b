"""All rules, in the order they are documented in."""

from __future__ import annotations

from modelfile.lint.rule import Rule
from modelfile.lint.rules.parameters.default_changed import default_changed
from modelfile.lint.rules.parameters.deprecated_parameter import deprecated_parameter
from modelfile.lint.rules.parameters.duplicate_stop import duplicate_stop
from modelfile.lint.rules.parameters.float_precision import float_precision
from modelfile.lint.rules.parameters.foreign_stop import foreign_stop
from modelfile.lint.rules.parameters.inline_comment import inline_comment
from modelfile.lint.rules.parameters.invalid_parameter_value import invalid_parameter_value
from modelfile.lint.rules.parameters.no_effect import no_effect
from modelfile.lint.rules.parameters.not_finite import not_finite
from modelfile.lint.rules.parameters.out_of_range import out_of_range
from modelfile.lint.rules.parameters.removed_parameter import removed_parameter
from modelfile.lint.rules.parameters.seed_without_determinism import seed_without_determinism
from modelfile.lint.rules.parameters.suspicious_stop import suspicious_stop
from modelfile.lint.rules.parameters.unknown_parameter import unknown_parameter
from modelfile.lint.rules.references.absolute_path import absolute_path
from modelfile.lint.rules.references.digest_in_from import digest_in_from
from modelfile.lint.rules.references.hf_without_host import hf_without_host
from modelfile.lint.rules.references.hf_without_quantisation import hf_without_quantisation
from modelfile.lint.rules.references.insecure_registry import insecure_registry
from modelfile.lint.rules.references.invalid_model_name import invalid_model_name
from modelfile.lint.rules.references.missing_file import missing_file
from modelfile.lint.rules.references.not_in_lock import not_in_lock
from modelfile.lint.rules.references.path_or_name import path_or_name
from modelfile.lint.rules.references.path_outside_project import path_outside_project
from modelfile.lint.rules.references.registry_not_allowed import registry_not_allowed
from modelfile.lint.rules.references.requires_too_low import requires_too_low
from modelfile.lint.rules.references.stale_lock import stale_lock
from modelfile.lint.rules.references.unpinned_base import unpinned_base
from modelfile.lint.rules.security.secret_in_text import secret_in_text
from modelfile.lint.rules.security.symlink_escape import symlink_escape
from modelfile.lint.rules.structure.crlf_in_value import crlf_in_value
from modelfile.lint.rules.structure.double_blank import double_blank
from modelfile.lint.rules.structure.duplicate_adapter import duplicate_adapter
from modelfile.lint.rules.structure.duplicate_instruction import duplicate_instruction
from modelfile.lint.rules.structure.empty_value import empty_value
from modelfile.lint.rules.structure.invalid_requires import invalid_requires
from modelfile.lint.rules.structure.invalid_role import invalid_role
from modelfile.lint.rules.structure.missing_argument import missing_argument
from modelfile.lint.rules.structure.missing_from import missing_from
from modelfile.lint.rules.structure.not_utf_8 import not_utf_8
from modelfile.lint.rules.structure.several_from import several_from
from modelfile.lint.rules.structure.swallowed_instruction import swallowed_instruction
from modelfile.lint.rules.structure.text_after_quote import text_after_quote
from modelfile.lint.rules.structure.unclosed_quote import unclosed_quote
from modelfile.lint.rules.structure.unknown_instruction import unknown_instruction
from modelfile.lint.rules.style.unformatted import unformatted
from modelfile.lint.rules.style.unused_suppression import unused_suppression
from modelfile.lint.rules.template.dead_template import dead_template
from modelfile.lint.rules.template.missing_stop import missing_stop
from modelfile.lint.rules.template.system_unused import system_unused
from modelfile.lint.rules.template.template_drops_thinking import template_drops_thinking
from modelfile.lint.rules.template.template_drops_tools import template_drops_tools
from modelfile.lint.rules.template.template_fails import template_fails
from modelfile.lint.rules.template.template_not_reproducible import template_not_reproducible
from modelfile.lint.rules.template.template_syntax import template_syntax
from modelfile.lint.rules.template.template_unknown_function import template_unknown_function
from modelfile.lint.rules.template.template_unknown_variable import template_unknown_variable
from modelfile.lint.rules.template.template_whitespace import template_whitespace
from modelfile.lint.rules.template.template_without_prompt import template_without_prompt
from modelfile.lint.rules.template.template_without_response import template_without_response
from modelfile.lint.rules.text.contradictory_json import contradictory_json
from modelfile.lint.rules.text.dropped_character import dropped_character
from modelfile.lint.rules.text.invisible_or_bidi_character import invisible_or_bidi_character
from modelfile.lint.rules.text.long_system_prompt import long_system_prompt
from modelfile.lint.rules.text.message_order import message_order
from modelfile.lint.rules.text.missing_license import missing_license
from modelfile.lint.rules.text.missing_purpose import missing_purpose
from modelfile.lint.rules.text.single_quotes import single_quotes
from modelfile.lint.rules.text.unescaped_sequence import unescaped_sequence

RULES: tuple[Rule, ...] = (
    missing_from,
    unknown_instruction,
    missing_argument,
    unclosed_quote,
    text_after_quote,
    swallowed_instruction,
    double_blank,
    invalid_role,
    duplicate_instruction,
    several_from,
    duplicate_adapter,
    not_utf_8,
    crlf_in_value,
    empty_value,
    invalid_requires,
    unpinned_base,
    not_in_lock,
    stale_lock,
    digest_in_from,
    invalid_model_name,
    path_or_name,
    missing_file,
    absolute_path,
    path_outside_project,
    insecure_registry,
    registry_not_allowed,
    hf_without_quantisation,
    requires_too_low,
    hf_without_host,
    unknown_parameter,
    invalid_parameter_value,
    not_finite,
    float_precision,
    deprecated_parameter,
    removed_parameter,
    out_of_range,
    default_changed,
    seed_without_determinism,
    duplicate_stop,
    inline_comment,
    no_effect,
    suspicious_stop,
    foreign_stop,
    template_syntax,
    template_unknown_function,
    template_unknown_variable,
    template_without_prompt,
    template_without_response,
    system_unused,
    template_drops_tools,
    template_drops_thinking,
    template_not_reproducible,
    dead_template,
    missing_stop,
    template_whitespace,
    template_fails,
    dropped_character,
    invisible_or_bidi_character,
    unescaped_sequence,
    single_quotes,
    long_system_prompt,
    message_order,
    contradictory_json,
    missing_purpose,
    missing_license,
    secret_in_text,
    symlink_escape,
    unformatted,
    unused_suppression,
)
