#!/bin/sh
exec gunicorn --worker-class=gevent --bind=0.0.0.0:5000 app:app
