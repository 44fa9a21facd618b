"""All rules, in the order they are documented in."""

from __future__ import annotations

from modelfile.lint.rule import Rule
from modelfile.lint.rules.parameters.deprecated_parameter import deprecated_parameter
from modelfile.lint.rules.parameters.duplicate_stop import duplicate_stop
from modelfile.lint.rules.parameters.float_precision import float_precision
from modelfile.lint.rules.parameters.inline_comment import inline_comment
from modelfile.lint.rules.parameters.invalid_parameter_value import invalid_parameter_value
from modelfile.lint.rules.parameters.no_effect import no_effect
from modelfile.lint.rules.parameters.out_of_range import out_of_range
from modelfile.lint.rules.parameters.removed_parameter import removed_parameter
from modelfile.lint.rules.parameters.seed_without_determinism import seed_without_determinism
from modelfile.lint.rules.parameters.unknown_parameter import unknown_parameter
from modelfile.lint.rules.references.absolute_path import absolute_path
from modelfile.lint.rules.references.digest_in_from import digest_in_from
from modelfile.lint.rules.references.hf_without_quantisation import hf_without_quantisation
from modelfile.lint.rules.references.insecure_registry import insecure_registry
from modelfile.lint.rules.references.invalid_model_name import invalid_model_name
from modelfile.lint.rules.references.missing_file import missing_file
from modelfile.lint.rules.references.path_or_name import path_or_name
from modelfile.lint.rules.references.requires_too_low import requires_too_low
from modelfile.lint.rules.references.unpinned_base import unpinned_base
from modelfile.lint.rules.security.secret_in_text import secret_in_text
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
from modelfile.lint.rules.structure.unclosed_quote import unclosed_quote
from modelfile.lint.rules.structure.unknown_instruction import unknown_instruction
from modelfile.lint.rules.style.unused_suppression import unused_suppression
from modelfile.lint.rules.template.dead_template import dead_template
from modelfile.lint.rules.template.missing_stop import missing_stop
from modelfile.lint.rules.template.system_unused import system_unused
from modelfile.lint.rules.template.template_syntax import template_syntax
from modelfile.lint.rules.template.template_unknown_function import template_unknown_function
from modelfile.lint.rules.template.template_without_prompt import template_without_prompt
from modelfile.lint.rules.text.dropped_character import dropped_character
from modelfile.lint.rules.text.missing_purpose import missing_purpose
from modelfile.lint.rules.text.single_quotes import single_quotes

RULES: tuple[Rule, ...] = (
    missing_from,
    unknown_instruction,
    missing_argument,
    unclosed_quote,
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
    digest_in_from,
    invalid_model_name,
    path_or_name,
    missing_file,
    absolute_path,
    insecure_registry,
    hf_without_quantisation,
    requires_too_low,
    unknown_parameter,
    invalid_parameter_value,
    float_precision,
    deprecated_parameter,
    removed_parameter,
    out_of_range,
    seed_without_determinism,
    duplicate_stop,
    inline_comment,
    no_effect,
    template_syntax,
    template_unknown_function,
    template_without_prompt,
    system_unused,
    dead_template,
    missing_stop,
    dropped_character,
    single_quotes,
    missing_purpose,
    secret_in_text,
    unused_suppression,
)
