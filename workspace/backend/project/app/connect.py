"""Connections to PostgreSQL and Redis from DATABASE_URL and REDIS_URL."""

import os
import socket
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import redis

TIMEOUT_SECONDS = 3


def database():
    """A connection in autocommit mode; raises psycopg2.OperationalError when there is none to be had."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise psycopg2.OperationalError("DATABASE_URL is not set")
    # libpq knows nothing of SQLAlchemy's way to name a driver.
    connection = psycopg2.connect(url.replace("postgresql+psycopg2://", "postgresql://", 1),
                                  connect_timeout=TIMEOUT_SECONDS)
    connection.autocommit = True
    return connection


def database_or_none():
    try:
        return database()
    except psycopg2.OperationalError:
        return None


def redis_url():
    return os.environ.get("REDIS_URL", "redis://localhost:6379/0")


def redis_url_without_password():
    parts = urlsplit(redis_url())
    if parts.password is None:
        return redis_url()
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))


def redis_client():
    """Connects at the first command, which raises redis.RedisError when there is no server."""
    return redis.Redis.from_url(
        redis_url(),
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
    )


def holder_id(job):
    return f"{job}:{socket.gethostname()}:{os.getpid()}"
