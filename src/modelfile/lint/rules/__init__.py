"""All rules, in the order they are documented in."""

from __future__ import annotations

from modelfile.lint.rule import Rule
from modelfile.lint.rules.parameters.deprecated_parameter import deprecated_parameter
from modelfile.lint.rules.parameters.inline_comment import inline_comment
from modelfile.lint.rules.parameters.invalid_parameter_value import invalid_parameter_value
from modelfile.lint.rules.parameters.unknown_parameter import unknown_parameter
from modelfile.lint.rules.references.invalid_model_name import invalid_model_name
from modelfile.lint.rules.references.missing_file import missing_file
from modelfile.lint.rules.references.unpinned_base import unpinned_base
from modelfile.lint.rules.structure.empty_value import empty_value
from modelfile.lint.rules.structure.invalid_requires import invalid_requires
from modelfile.lint.rules.structure.invalid_role import invalid_role
from modelfile.lint.rules.structure.missing_argument import missing_argument
from modelfile.lint.rules.structure.missing_from import missing_from
from modelfile.lint.rules.structure.not_utf_8 import not_utf_8
from modelfile.lint.rules.structure.unclosed_quote import unclosed_quote
from modelfile.lint.rules.structure.unknown_instruction import unknown_instruction
from modelfile.lint.rules.template.template_syntax import template_syntax
from modelfile.lint.rules.template.template_unknown_function import template_unknown_function
from modelfile.lint.rules.text.dropped_character import dropped_character
from modelfile.lint.rules.text.missing_purpose import missing_purpose

RULES: tuple[Rule, ...] = (
    missing_from,
    unknown_instruction,
    missing_argument,
    unclosed_quote,
    invalid_role,
    not_utf_8,
    empty_value,
    invalid_requires,
    unpinned_base,
    invalid_model_name,
    missing_file,
    unknown_parameter,
    invalid_parameter_value,
    deprecated_parameter,
    inline_comment,
    template_syntax,
    template_unknown_function,
    dropped_character,
    missing_purpose,
)
