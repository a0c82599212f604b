"""Reconciles the dead-letter stream with the main stream, as the one leader.

The exit code is 0 also when the work was skipped or Redis was away: a timer calls this again soon.
"""

import argparse
import json
import logging
import sys

import redis

from app.connect import database_or_none, holder_id, redis_client
from app.dead_letters import reconcile
from app.locks import leadership
from app.names import RECONCILE_LOCK, RECONCILE_TTL_SECONDS

log = logging.getLogger("reconcile_dl")


def run(dry_run):
    client, connection, holder = redis_client(), database_or_none(), holder_id("reconcile_dl")
    with leadership(connection, client, RECONCILE_LOCK, holder, RECONCILE_TTL_SECONDS) as leader:
        if not leader:
            return {"status": "skipped", "reason": "failed_to_acquire_lock", "dry_run": dry_run}
        try:
            return {"dry_run": dry_run, **reconcile(connection, client, holder, dry_run)}
        except redis.RedisError as error:
            log.error("Redis cannot be used: %s", error)
            return {
                "dry_run": dry_run, "scanned": 0, "still_pending": 0, "acknowledged": 0, "archived": 0, "trimmed": 0
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="count, but change nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s [%(name)s] %(message)s")
    report = run(args.dry_run)
    if args.json:
        print(json.dumps(report))
    else:
        print(", ".join(f"{name}: {value}" for name, value in report.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
