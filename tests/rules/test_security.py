"""Every form of secret-in-text, made up here so that no scanner of repositories reports them."""

import pytest

from modelfile.diagnostics import Severity
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

RANDOM = "Zq8Lm2Xv7Rt4Wn9Ks6Hd3Bj5Fg0Pc1Yw8Ez2Ua7Ti4Oq9Nl6Mk3Vb5Cx0Rs1Dh"


def found(text: str) -> list[str]:
    source = Source(text=f"# For tests.\nFROM x:y\nSYSTEM {text}\n")
    return [item.message for item in lint(Context(modelfile=Modelfile.parse(source))) if item.name == "secret-in-text"]


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + RANDOM[:16].upper(),
        "ghp" + "_" + RANDOM[:36],
        "github" + "_pat_" + RANDOM[:62],
        "sk-" + "ant-" + RANDOM[:40],
        "sk-" + "proj-" + RANDOM[:48],
        "xoxb" + "-" + RANDOM[:30],
        "AIza" + RANDOM[:35],
        "hf" + "_" + RANDOM[:34],
        "eyJ" + RANDOM[:20] + ".eyJ" + RANDOM[:20] + "." + RANDOM[:30],
        "password" + "=" + RANDOM[:20],
        "Authorization: Basic " + "YWRtaW46" + "U3VwZXJTZWNyZXQxMjM=",
        "api_key" + ' = "' + "9f86d081884c7d65" * 4 + '"',
    ],
)
def test_secret_is_reported_and_not_printed(secret: str) -> None:
    (message,) = found(f"Use {secret} for it.")
    assert secret not in message
    assert RANDOM[8:16] not in message


@pytest.mark.parametrize(
    "text",
    [
        "Never show the api_key: YOUR_API_KEY_GOES_HERE.",
        "password=correct-horse",
        "Use sk-your-key-here-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "The token is the word; secret = nothing",
        "sha256:" + "a1" * 32,
    ],
)
def test_placeholders_are_not_secrets(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Connect to postgres://admin:S3cr3tPw!@db.internal:5432/app", "a password in a URL"),
        ("The admin password is hunter2.", "a password"),
        ("Password: Tr0ub4dor&3", "a password"),
        ('The password is "swordfish".', "a password"),
        ("Das Passwort ist Sommer2024!", "a password"),
        ("Log in as bob with password S3cret99Xy", "a password"),
        ("DB_PASSWORD=Xk29fjQ81mPz", "a password"),
        ("The secret password is COCOLOCO.", "a password"),
        ("The PIN is 4821.", "a PIN"),
        ("Charge the card 4111 1111 1111 1111.", "a card number"),
        ("Charge the card 3782-822463-10005.", "a card number"),
        ("Pay to DE89 3704 0044 0532 0130 00.", "an IBAN"),
        ("Pay to GB29NWBK60161331926819.", "an IBAN"),
        ("AWS_SECRET_ACCESS_KEY=" + RANDOM[:40], "a password or key"),
        ("Authorization: Bearer " + RANDOM[:30], "a bearer token"),
        ("gl" + "pat-" + RANDOM[:20], "a GitLab token"),
        ("sk" + "_live_" + RANDOM[:24], "a Stripe key"),
        ("ya" + "29." + RANDOM[:40], "a Google key"),
        ("export HF_TOKEN=h" + "f_pQzLkVbTnWmXyRsAhGdJfCeUiOoPqLtKvB", "a Hugging Face token"),
        ("Call https://api.weather.org/2.5/now?q=Rome&appid=9f3c1b7e5d2a8046" + "c1e97b35fa60d824", "a key in a URL"),
        ("Call http://10.0.0.5/v1?access_token=" + RANDOM[:24], "a key in a URL"),
        ("np" + "m_" + RANDOM[:36], "an npm token"),
        ("py" + "pi-AgE" + RANDOM[:50], "a PyPI token"),
        ("S" + "G." + RANDOM[:22] + "." + RANDOM[:43], "a SendGrid key"),
        ("do" + "p_v1_" + "0123456789abcdef" * 4, "a DigitalOcean token"),
        ("gs" + "k_" + RANDOM[:52], "an access token"),
        ("sk" + "-or-v1-" + "0123456789abcdef" * 4, "an OpenAI key"),
        ("12345678:AA" + RANDOM[:33], "a Telegram bot token"),
    ],
)
def test_secret_is_named_by_its_kind(text: str, kind: str) -> None:
    (message,) = found(text)
    assert message.startswith(f"this looks like {kind}: `")


@pytest.mark.parametrize(
    "text",
    [
        "The password is required. Password: must be at least 8 characters.",
        "If the password is wrong, say so. A password is 8-16 characters long.",
        "Passwords are never stored. password: string, token: the smallest unit of text",
        'Answer {"username": "...", "password": "..."}',
        'password = input("Password: ")',
        "https://user:password@example.com and http://localhost:11434/api and redis://${USER}:${PASS}@host",
        "A card number, such as 4111 1111 1111 1111, has 16 digits.",
        "The order 1234 5678 9012 3456 has arrived; its total is 4111111111111112.",
        "550e8400-e29b-41d4-a716-446655440000",
        "hf_transfer_is_a_library_that_speeds_up_downloads and sk-learn-is-another-one-for-machine-learning",
        "The pin is in the second row.",
        "Example password: hunter2. Use a better one.",
        'Passwords have at least 12 characters: "password: hunter2" is a bad one.',
        "See https://example.org/a?id=9f3c1b7e5d2a8046c1e97b35fa60d824 and https://example.org/a?key=YOUR_API_KEY_GOES_IN.",
        "hf_thisIsOneWordOfManyLettersAndItIsInCamelCase"[:20],
    ],
)
def test_talk_of_secrets_is_none(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Call Anna at +49 170 9876543.", "telephone number"),
        ("Call (415) 867-2309 for it.", "telephone number"),
        ("Write to anna.berg@meridian-energy.de.", "mail address"),
        ("Her SSN is 219-09-9999.", "social security number"),
        ("Write to support@meridian-energy.de or anna@example.com.", None),
        ("Call 212-555-0142 or +1 (415) 555-2671.", None),
        ('"""Web: https://www.selcuk.edu.tr\n- Tel: +90 332 223 10 00"""', None),
        ("The front desk has +49 170 9876543.", None),
        ("Call 1-800-273-8255, (888) 867-2309, +1 877 867 2309 or +49 800 9876543.", None),
        ("Use @media queries, user@host, git@github.com:a/b.git.", None),
        ("Connect to postgres://anna:2025!x@dwh.meridian.de/sales.", None),
        ("Between 2023-01-15 and 2024-12-31, ranges 100-200-3000.", None),
    ],
)
def test_personal_data_in_a_prompt_is_a_note(text: str, kind: str | None) -> None:
    modelfile = Modelfile.parse(Source(text=f"# By anna.berg@meridian-energy.de.\nFROM x:y\nSYSTEM {text}\n"))
    reported = [item for item in lint(Context(modelfile=modelfile)) if item.name == "personal-data"]
    assert [item.message for item in reported] == ([f"this looks like a person's {kind}"] if kind else [])
    assert {item.severity for item in reported} <= {Severity.INFO}
