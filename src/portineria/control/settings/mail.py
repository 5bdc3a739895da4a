# SPDX-License-Identifier: Apache-2.0
"""The mail server of this installation, by which people are told what concerns them."""

from collections.abc import Mapping

from portineria.control.settings.server import ServerSettings, split_address
from portineria.process.settings import BadSettings
from portineria.sinks.mail import SETTINGS
from portineria.sinks.setting import BadSetting, Shape, cleaned

_ASKED = [setting for setting in SETTINGS if setting.name != "recipient" and setting.shape is not Shape.KEY]


def mail_server(settings: ServerSettings) -> Mapping[str, str] | None:
    """As ``sinks.mail.SETTINGS`` names them, without a recipient; None where there is none. Raise BadSettings."""
    if not settings.mail_server:
        return None
    host, port = split_address(settings.mail_server)
    password, authorities = settings.mail_password_file, settings.mail_authorities
    try:
        given = {
            "host": host, "port": str(port), "encryption": settings.mail_encryption, "sender": settings.mail_sender,
            "user": settings.mail_user, "password": password.read_text("utf-8").strip() if password else "",
            "authorities": authorities.read_text("utf-8") if authorities else "",
        }  # fmt: skip
        return cleaned([setting for setting in _ASKED if setting.name != "certificate"], given)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"mail_password_file or mail_authorities cannot be read: {error}") from error
    except BadSetting as error:
        raise BadSettings(f"mail_server and the settings beside it: {error}") from error
