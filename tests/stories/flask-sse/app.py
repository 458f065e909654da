"""The seed's example of server-sent events: pages, a form, a message into a channel, a stream out of it."""
import json

import redis
from flask import Flask, Response, request

app = Flask(__name__)


def store():
    return redis.Redis(host="redis", port=6379)


@app.get("/")
def page():
    return "<script>new EventSource('/events').addEventListener('testevent', e => document.body.append(e.data))</script>"


@app.get("/new")
def form():
    return "<form method=post action=/send><input name=message></form>"


@app.post("/send")
def send():
    heard = store().publish("test", json.dumps({"type": "testevent", "data": request.form["message"]}))
    return f"{heard}\n"


@app.get("/events")
def events():
    def stream():
        channel = store().pubsub()
        channel.subscribe("test")
        for message in channel.listen():
            if message["type"] == "subscribe":
                yield ": listening\n\n"
            else:
                event = json.loads(message["data"])
                yield f"event:{event['type']}\ndata:{event['data']}\n\n"

    return Response(stream(), mimetype="text/event-stream")
