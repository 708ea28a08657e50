#!/bin/sh
# Hands the events of the dead-letter queue to the function again, one by one; what it then handles is deleted.
#
# SQS's own redrive moves messages back to the queue that they came from, and these came from none: EventBridge, Lambda
# and the schedule put them here. The function takes each as it stands, Lambda's failure records included.
set -eu

usage() {
    cat <<'END'
usage: infra/redrive.sh [--region REGION] [STACK]                            (sg-trust)
       infra/redrive.sh [--region REGION] --function NAME --queue URL        without a CloudFormation stack
The Region is else AWS_REGION's, AWS_DEFAULT_REGION's or the profile's.
END
}
wrong() {
    echo "redrive.sh: $*" >&2
    usage >&2
    exit 2
}

stack=
function=
queue=
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
while [ $# -gt 0 ]; do
    case $1 in
    --function | --queue | --region)
        [ $# -ge 2 ] || wrong "$1 needs a value"
        case $1 in
        --function) function=$2 ;;
        --queue) queue=$2 ;;
        --region) region=$2 ;;
        esac
        shift 2
        ;;
    --help | -h) usage && exit 0 ;;
    -*) wrong "unknown option $1" ;;
    *)
        [ -z "$stack" ] || wrong "one stack at a time"
        stack=$1
        shift
        ;;
    esac
done
case ${function:+f}${queue:+q}${stack:+s} in
'' | s | fq) ;;
*) wrong "either a stack, or --function and --queue" ;;
esac
export AWS_PAGER=
# Version 1 of the CLI knows only the other variable.
[ -z "$region" ] || export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"

# Version 1 of the CLI does not heed AWS_ENDPOINT_URL for SQS.
sqs() { aws sqs ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }

output() {
    aws cloudformation describe-stacks --stack-name "${stack:-sg-trust}" --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}
[ -n "$function" ] || function=$(output FunctionName)
[ -n "$queue" ] || queue=$(output DeadLetterQueueUrl)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
left=$(sqs get-queue-attributes --queue-url "$queue" --attribute-names ApproximateNumberOfMessages \
    --query Attributes.ApproximateNumberOfMessages --output text)
handled=0
failed=0

# No more than there were at first: what fails again is for another day.
while [ "$left" -gt 0 ]; do
    left=$((left - 1))
    # A sweep may take 15 minutes; nobody else gets the message meanwhile.
    sqs receive-message --queue-url "$queue" --max-number-of-messages 1 --visibility-timeout 960 --wait-time-seconds 2 \
        --query 'Messages[0].[ReceiptHandle,Body]' --output json >"$folder/message"
    handle=$(python3 -c '
import json, sys
message = json.load(open(sys.argv[1]))
if message and message[0]:
    open(sys.argv[2], "w").write(message[1])
    print(message[0])' "$folder/message" "$folder/event")
    [ -n "$handle" ] || break
    # fileb: the event goes as it stands, whatever version the CLI is of. The CLI must wait as long as the function may take.
    error=$(aws lambda invoke --function-name "$function" --payload "fileb://$folder/event" --cli-read-timeout 960 \
        --query FunctionError --output text "$folder/answer") || error=Uncalled
    if [ "$error" = None ]; then
        sqs delete-message --queue-url "$queue" --receipt-handle "$handle"
        handled=$((handled + 1))
    else
        [ "$error" = Uncalled ] || printf 'failed again: %s\n' "$(cat "$folder/answer")" >&2
        failed=$((failed + 1))
        echo "$handle" >>"$folder/failed"
    fi
done
# Visible again only now, so that no message was tried twice above.
if [ -e "$folder/failed" ]; then
    while read -r handle; do
        sqs change-message-visibility --queue-url "$queue" --receipt-handle "$handle" --visibility-timeout 0
    done <"$folder/failed"
fi
echo "$handled handled, $failed failed again"
[ "$failed" -eq 0 ]
