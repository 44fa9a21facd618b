"""All rules, in the order they are documented in."""

from __future__ import annotations

from modelfile.linter.rule import Rule
from modelfile.linter.rules.parameters.default_changed import default_changed
from modelfile.linter.rules.parameters.deprecated_parameter import deprecated_parameter
from modelfile.linter.rules.parameters.duplicate_stop import duplicate_stop
from modelfile.linter.rules.parameters.float_precision import float_precision
from modelfile.linter.rules.parameters.foreign_stop import foreign_stop
from modelfile.linter.rules.parameters.inline_comment import inline_comment
from modelfile.linter.rules.parameters.invalid_parameter_value import invalid_parameter_value
from modelfile.linter.rules.parameters.no_effect import no_effect
from modelfile.linter.rules.parameters.not_finite import not_finite
from modelfile.linter.rules.parameters.out_of_range import out_of_range
from modelfile.linter.rules.parameters.removed_parameter import removed_parameter
from modelfile.linter.rules.parameters.seed_without_determinism import seed_without_determinism
from modelfile.linter.rules.parameters.suspicious_stop import suspicious_stop
from modelfile.linter.rules.parameters.unknown_parameter import unknown_parameter
from modelfile.linter.rules.references.absolute_path import absolute_path
from modelfile.linter.rules.references.digest_in_from import digest_in_from
from modelfile.linter.rules.references.hf_without_host import hf_without_host
from modelfile.linter.rules.references.hf_without_quantisation import hf_without_quantisation
from modelfile.linter.rules.references.insecure_registry import insecure_registry
from modelfile.linter.rules.references.invalid_model_name import invalid_model_name
from modelfile.linter.rules.references.missing_file import missing_file
from modelfile.linter.rules.references.not_in_lock import not_in_lock
from modelfile.linter.rules.references.path_or_name import path_or_name
from modelfile.linter.rules.references.path_outside_project import path_outside_project
from modelfile.linter.rules.references.registry_not_allowed import registry_not_allowed
from modelfile.linter.rules.references.requires_too_low import requires_too_low
from modelfile.linter.rules.references.stale_lock import stale_lock
from modelfile.linter.rules.references.unpinned_base import unpinned_base
from modelfile.linter.rules.security.secret_in_text import secret_in_text
from modelfile.linter.rules.security.symlink_escape import symlink_escape
from modelfile.linter.rules.structure.crlf_in_value import crlf_in_value
from modelfile.linter.rules.structure.double_blank import double_blank
from modelfile.linter.rules.structure.duplicate_adapter import duplicate_adapter
from modelfile.linter.rules.structure.duplicate_instruction import duplicate_instruction
from modelfile.linter.rules.structure.empty_value import empty_value
from modelfile.linter.rules.structure.invalid_requires import invalid_requires
from modelfile.linter.rules.structure.invalid_role import invalid_role
from modelfile.linter.rules.structure.missing_argument import missing_argument
from modelfile.linter.rules.structure.missing_from import missing_from
from modelfile.linter.rules.structure.not_utf_8 import not_utf_8
from modelfile.linter.rules.structure.several_from import several_from
from modelfile.linter.rules.structure.swallowed_instruction import swallowed_instruction
from modelfile.linter.rules.structure.text_after_quote import text_after_quote
from modelfile.linter.rules.structure.unclosed_quote import unclosed_quote
from modelfile.linter.rules.structure.unknown_instruction import unknown_instruction
from modelfile.linter.rules.style.unformatted import unformatted
from modelfile.linter.rules.style.unused_suppression import unused_suppression
from modelfile.linter.rules.template.dead_template import dead_template
from modelfile.linter.rules.template.missing_stop import missing_stop
from modelfile.linter.rules.template.system_unused import system_unused
from modelfile.linter.rules.template.template_drops_thinking import template_drops_thinking
from modelfile.linter.rules.template.template_drops_tools import template_drops_tools
from modelfile.linter.rules.template.template_fails import template_fails
from modelfile.linter.rules.template.template_not_reproducible import template_not_reproducible
from modelfile.linter.rules.template.template_syntax import template_syntax
from modelfile.linter.rules.template.template_unknown_function import template_unknown_function
from modelfile.linter.rules.template.template_unknown_variable import template_unknown_variable
from modelfile.linter.rules.template.template_whitespace import template_whitespace
from modelfile.linter.rules.template.template_without_prompt import template_without_prompt
from modelfile.linter.rules.template.template_without_response import template_without_response
from modelfile.linter.rules.text.contradictory_json import contradictory_json
from modelfile.linter.rules.text.dropped_character import dropped_character
from modelfile.linter.rules.text.invisible_or_bidi_character import invisible_or_bidi_character
from modelfile.linter.rules.text.long_system_prompt import long_system_prompt
from modelfile.linter.rules.text.message_order import message_order
from modelfile.linter.rules.text.missing_license import missing_license
from modelfile.linter.rules.text.missing_purpose import missing_purpose
from modelfile.linter.rules.text.single_quotes import single_quotes
from modelfile.linter.rules.text.unescaped_sequence import unescaped_sequence

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
