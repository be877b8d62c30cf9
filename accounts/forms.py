"""What all doors ask of a name that somebody types: the pages and the REST calls alike."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.core.roster import TAG_DELIMITER, is_plain


def check_text(text: str) -> None:
    """
    Let only pass what a CSV file can hold, so that what is exported can be imported.

    Raises:
        ValidationError: It holds a control character.
    """
    if not is_plain(text):
        raise ValidationError(_("This holds a control character."))


def check_tag(name: str) -> None:
    """
    See `check_text`.

    Raises:
        ValidationError: It is no text, or would be two tags in a CSV file.
    """
    check_text(name)
    if TAG_DELIMITER in name:
        raise ValidationError(
            _("A tag cannot hold “%(mark)s”: CSV files separate tags with it.")
            % {"mark": TAG_DELIMITER}
        )
