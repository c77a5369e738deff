"""How long logs are kept, as the CDK names it."""

from typing import Final

from aws_cdk import aws_logs as logs

from infra.settings import Settings

_Days = logs.RetentionDays
_RETENTIONS: Final = {
    1: _Days.ONE_DAY,
    3: _Days.THREE_DAYS,
    5: _Days.FIVE_DAYS,
    7: _Days.ONE_WEEK,
    14: _Days.TWO_WEEKS,
    30: _Days.ONE_MONTH,
    60: _Days.TWO_MONTHS,
    90: _Days.THREE_MONTHS,
    120: _Days.FOUR_MONTHS,
    150: _Days.FIVE_MONTHS,
    180: _Days.SIX_MONTHS,
    365: _Days.ONE_YEAR,
    400: _Days.THIRTEEN_MONTHS,
    545: _Days.EIGHTEEN_MONTHS,
    731: _Days.TWO_YEARS,
}


def log_retention(settings: Settings) -> logs.RetentionDays:
    """Return the retention that the settings ask for in days."""
    return _RETENTIONS[settings.log_retention_days]
