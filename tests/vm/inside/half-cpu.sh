#!/bin/sh
# In a container: burns what it gets for six seconds, prints how many per cent of a processor that was.
used() { awk '/usage_usec/ { print $2 }' /sys/fs/cgroup/cpu.stat; }
begin=$(date +%s)
before=$(used)
while [ $(($(date +%s) - begin)) -lt 6 ]; do :; done
echo $((($(used) - before) / 10000 / ($(date +%s) - begin)))
