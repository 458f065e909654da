#!/bin/sh
# In a container: limits of its process.
ulimit -n
df -k /dev/shm | awk 'END { print $2 * 1024 }'
cat /proc/self/oom_score_adj
