"""Checks that Redis keeps what is written to it. Exit code 0, or 1 when it does not or cannot be reached."""

import argparse
import json
import sys
from datetime import datetime, timezone

import redis

from app.connect import redis_client, redis_url_without_password

SETTINGS = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "save")


def read_config(client):
    return {name: client.config_get(name).get(name, "") for name in SETTINGS}


def judge(config):
    """The errors and the warnings that a configuration gives rise to."""
    errors, warnings = [], []
    if config["appendonly"] != "yes":
        errors.append(f"appendonly is {config['appendonly'] or 'unset'}, expected yes: a restart would lose messages")
    if config["maxmemory-policy"] != "noeviction":
        errors.append(
            f"maxmemory-policy is {config['maxmemory-policy'] or 'unset'}, expected noeviction:"
            " a full server would drop streams"
        )
    if config["appendfsync"] == "no":
        warnings.append("appendfsync is no: a power cut may lose more than a second of messages")
    return errors, warnings


def check():
    config, warnings = {}, []
    try:
        config = read_config(redis_client())
        errors, warnings = judge(config)
    except redis.RedisError as error:
        errors = [f"Redis cannot be asked: {error}"]
    return {
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "redis_url": redis_url_without_password(),
        "config": config,
        "errors": errors,
        "warnings": warnings,
        "status": "FAIL" if errors else "WARN" if warnings else "OK",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    report = check()
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{report['status']} {report['redis_url']}")
        for line in report["errors"] + report["warnings"]:
            print(f"- {line}")
    return 1 if report["status"] == "FAIL" else 0


if __name__ == "__main__":
    sys.exit(main())
