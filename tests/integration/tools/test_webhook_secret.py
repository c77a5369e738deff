"""A rotation makes a new secret, and the previous one can be revoked at once."""

import base64
import secrets

from functions.webhooks.secret import SigningSecrets
from local.emulator import Emulator
from tools.webhook_secret import revoke, rotate


def test_both_secrets_sign_until_the_previous_one_is_revoked(aws: Emulator) -> None:
    client, name = aws.client("secretsmanager"), f"secret-{secrets.token_hex(4)}"
    client.create_secret(Name=name, SecretString="A" * 32)
    rotate(client, name)
    new, old = SigningSecrets(client, name)()
    assert old == "A" * 32
    assert len(base64.b64decode(new, validate=True)) == 24
    assert revoke(client, name)
    assert SigningSecrets(client, name)() == [new]
    assert not revoke(client, name)
