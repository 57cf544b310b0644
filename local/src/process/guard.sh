# Runs a user's process as the leader's companion in a process group of its own and ends the whole group when the supervisor
# is gone: descriptor 3 is a pipe from it that closes with it, even by kill -9. A line on the pipe says that the end was orderly.
# The watcher alone holds our end of the pipe, so that the supervisor sees when the watcher is gone.
watch() {
  trap '' TERM INT HUP
  if read -r _ <&3; then exit 0; fi
  kill -TERM 0
  tries=0
  while kill -0 "$$" 2>/dev/null && [ "$tries" -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -KILL 0
}

# A handler, not "ignore": ignored signals would be inherited by the process that is run.
trap : TERM INT HUP
watch >/dev/null 2>&1 </dev/null &
exec 3<&-
"$@"
exit "$?"
