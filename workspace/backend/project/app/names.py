"""Names that the backend's parts agree on."""

MAIN_STREAM = "m10:evaluate:stream"
CONSUMER_GROUP = "m10:evaluate:group"
DEAD_LETTER_STREAM = "m10:evaluate:dead-letter"
DEAD_LETTER_CAP = 10_000

# Counters outlive the short scripts that count, so that the metrics endpoint can tell of them.
COUNTERS = "m10:metrics:counters"

RECONCILE_LOCK = "m10:reconcile_dl"
RECONCILE_TTL_SECONDS = 600
MATVIEW_TTL_SECONDS = 300


def matview_lock(view):
    return f"m10:matview:{view}"
