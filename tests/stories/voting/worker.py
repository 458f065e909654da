"""Carries votes from redis to the database; waits for either as long as it takes."""
import json
import time

import psycopg2
import redis

TABLE = "CREATE TABLE IF NOT EXISTS votes (id VARCHAR(255) PRIMARY KEY, vote VARCHAR(255) NOT NULL)"
UPSERT = "INSERT INTO votes VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET vote = EXCLUDED.vote"


def until(what, connect):
    while True:
        try:
            return connect()
        except (redis.exceptions.ConnectionError, psycopg2.OperationalError):
            print(f"Waiting for {what}", flush=True)
            time.sleep(0.3)


def connected():
    store = redis.Redis(host="redis", socket_connect_timeout=1)
    store.ping()
    return store


def database():
    made = psycopg2.connect(host="db", user="postgres", connect_timeout=1)
    made.autocommit = True
    made.cursor().execute(TABLE)
    return made


store, db = until("redis", connected), until("db", database)
print("Connected", flush=True)
while True:
    try:
        found = store.blpop("votes", timeout=1)
        if found:
            vote = json.loads(found[1])
            db.cursor().execute(UPSERT, (vote["voter_id"], vote["vote"]))
    except redis.exceptions.RedisError:
        store = until("redis", connected)
