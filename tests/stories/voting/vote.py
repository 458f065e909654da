"""Takes votes: a form, and each vote into the list `votes` of the host `redis`."""
import json
import uuid

import redis
from flask import Flask, make_response, request

app = Flask(__name__)


@app.route("/", methods=["GET", "POST"])
def vote():
    voter = request.cookies.get("voter_id") or uuid.uuid4().hex
    if request.method == "POST":
        redis.Redis(host="redis").rpush("votes", json.dumps({"voter_id": voter, "vote": request.form["vote"]}))
    answer = make_response("Cats or dogs? <form method=post><button name=vote value=a>Cats</button></form>\n")
    answer.set_cookie("voter_id", voter)
    return answer


app.run("0.0.0.0", 80, threaded=True)
