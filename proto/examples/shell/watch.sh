#!/usr/bin/env bash
# Shows the service's position, then follows the newest job to its end. Needs python3 with the packages of
# ../python/requirements.txt (PYTHON names it), TENON_SERVER where it isn't 127.0.0.1:7440, TENON_TOKEN where needed.
set -euo pipefail
python=${PYTHON:-python3}
call=("$python" "$(dirname "$0")/call.py")

field() {
  "$python" -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[int(name)] if name.isdigit() else value[name]
print(value)' "$1"
}

status=$("${call[@]}" Prover/GetStatus)
echo "batch $(field last_batch <<<"$status"), protocol $(field protocol_version <<<"$status")"
job=$("${call[@]}" Prover/ListJobs '{"page_size": 1}' | field jobs.0.id)
"${call[@]}" Prover/WatchJob "{\"job_id\": \"$job\"}" | grep -E '"(state|message)":'
"${call[@]}" Prover/GetJob "{\"job_id\": \"$job\"}" | field job.state
