#!/bin/sh
# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
#
# One inference request, as a gateway reports it: sh examples/curl.sh [http://127.0.0.1:8080]
set -eu

node=${1:-http://127.0.0.1:8080}
request=curl-$$

call() {
  method=$1 path=$2
  shift 2
  curl --fail-with-body --silent --show-error --max-time 2 --request "$method" "$node$path" "$@"
  echo
}

# Choose the engine with the least to do, and count the request on it, in one step.
call POST /v1/load/pick --data '{"cluster":"demo","request_id":"'$request'","prompt_length":1200,
  "candidates":["10.0.0.7:8000","10.0.0.8:8000"],"owner":"curl"}'

# Here the gateway sends the prompt to that engine. Its first token comes:
call DELETE /v1/load/prompt --data '{"request_id":"'$request'"}'

# How many tokens it holds by now.
call PUT /v1/load/tokens --data '{"request_id":"'$request'","input_tokens":1200,"output_tokens":64}'

# What each engine has to do.
call GET "/v1/load/stats?cluster=demo"

# The request ends, whether it went well or not.
call DELETE /v1/load/stats --data '{"request_id":"'$request'"}'
