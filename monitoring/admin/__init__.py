"""Staff's screens of the monitor."""

from monitoring.admin.alerts import (
    AlertAdmin,
    AlertMessageAdmin,
    AlertNotificationAdmin,
    AlertRuleAdmin,
    EvaluatorLeaseAdmin,
    HealthSampleAdmin,
    SilenceAdmin,
)
from monitoring.admin.errors import ErrorLogAdmin
from monitoring.admin.metrics import (
    CacheMetricAdmin,
    QueueMetricAdmin,
    RouteMetricAdmin,
    ServerProcessAdmin,
    SlowRequestAdmin,
    StatementMetricAdmin,
)

__all__ = [
    "AlertAdmin",
    "AlertMessageAdmin",
    "AlertNotificationAdmin",
    "AlertRuleAdmin",
    "CacheMetricAdmin",
    "ErrorLogAdmin",
    "EvaluatorLeaseAdmin",
    "HealthSampleAdmin",
    "QueueMetricAdmin",
    "RouteMetricAdmin",
    "ServerProcessAdmin",
    "SilenceAdmin",
    "SlowRequestAdmin",
    "StatementMetricAdmin",
]
