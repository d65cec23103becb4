"""Admin of accounts."""

from accounts.admin.audit import AuditEntryAdmin, RevokedTokenAdmin
from accounts.admin.deprecations import DeprecatedCallAdmin, DeprecationNoticeAdmin
from accounts.admin.keys import ApiKeyAdmin
from accounts.admin.second_factors import SecondFactorAdmin
from accounts.admin.users import GroupAdmin, UserAdmin

__all__ = [
    "ApiKeyAdmin",
    "AuditEntryAdmin",
    "DeprecatedCallAdmin",
    "DeprecationNoticeAdmin",
    "GroupAdmin",
    "RevokedTokenAdmin",
    "SecondFactorAdmin",
    "UserAdmin",
]
