"""Refreshes the materialized views, or tells how fresh they are.

A view whose lock somebody else has is skipped, which counts as a success and ends with 0.

--status prints {} both before the first refresh and without a database.
"""

import argparse
import json
import sys

import psycopg2

from app.connect import database_or_none, holder_id, redis_client
from app.locks import leadership
from app.names import MATVIEW_TTL_SECONDS, matview_lock

VIEWS = ("mv_top_pending",)


def status(connection):
    if connection is None:
        return {}
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                "SELECT view_name, last_refresh, age_seconds, last_success, last_duration_ms"
                " FROM m10_recovery.matview_freshness ORDER BY view_name"
            )
        except psycopg2.errors.UndefinedTable:
            return {}
        return {
            name: {
                "last_refresh": at.isoformat() if at else None,
                "age_seconds": age,
                "last_success": success,
                "last_duration_ms": duration,
            }
            for name, at, age, success, duration in cursor.fetchall()
        }


def refresh(connection, view):
    holder = holder_id("refresh_matview")
    with leadership(connection, redis_client(), matview_lock(view), holder, MATVIEW_TTL_SECONDS) as leader:
        if not leader:
            return {"success": True, "skipped": True, "reason": "failed_to_acquire_lock"}
        with connection.cursor() as cursor:
            cursor.execute("SELECT success, duration_ms, error FROM m10_recovery.refresh_mv_tracked(%s)", (view,))
            success, duration, error = cursor.fetchone()
        return {"success": success, "duration_ms": duration, "error": error}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--view", choices=VIEWS, help="this view alone; all unless told")
    parser.add_argument("--status", action="store_true", help="tell how fresh the views are, refresh none")
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    args = parser.parse_args()
    connection = database_or_none()
    if args.status:
        report = status(connection)
        print(json.dumps(report) if args.json else "\n".join(f"{k}: {v}" for k, v in report.items()))
        return 0
    results = {view: refresh(connection, view) for view in ([args.view] if args.view else VIEWS)}
    good = all(result["success"] for result in results.values())
    report = {"results": results, "all_success": good, "freshness": status(connection)}
    print(json.dumps(report) if args.json else "\n".join(f"{k}: {v}" for k, v in results.items()))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
