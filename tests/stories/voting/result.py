"""Shows what the database has."""
import json

import psycopg2
from flask import Flask

app = Flask(__name__)


@app.get("/")
def result():
    db = psycopg2.connect(host="db", user="postgres", connect_timeout=1)
    cursor = db.cursor()
    cursor.execute("SELECT vote, COUNT(id) FROM votes GROUP BY vote")
    return json.dumps(dict(cursor.fetchall())) + "\n"


app.run("0.0.0.0", 80, threaded=True)
