#!/bin/sh
# Builds the function, or takes a package of a release, and deploys infra/template.yaml with it: package, key by SHA-256,
# upload, deploy. Needs the AWS CLI with credentials, python3, and to build cargo with cargo-lambda.
set -eu

usage() {
    cat <<'END'
usage: infra/deploy.sh [options] [Parameter=Value ...]

Builds sg-trust-lambda and deploys infra/template.yaml with it, in one account and Region.
Parameter=Value are parameters of the template; those of an earlier deployment are kept.

  --region REGION   where to (else AWS_REGION, AWS_DEFAULT_REGION, or the profile's)
  --stack NAME      the stack's name (sg-trust)
  --bucket NAME     the bucket for the code (sg-trust-code-ACCOUNT-REGION; made where it is missing)
  --policy FILE     the settings to package (policy.toml, where there is one)
  --no-policy       packages no settings, also where the deployed function has some
  --x86-64          for x86-64 instead of arm64
  --package FILE    a ZIP, or a Linux binary, that is built already: a file, or the https address of a release's
  --sha256 HEX      the checksum of --package (else SHA256SUMS beside it tells it; an address needs one or the other)
  --tags KEY=VALUE  a tag of the stack and all that it makes; may be given several times
  --role-arn ARN    the role with which CloudFormation makes the stack
  --upload-only     uploads the package and the template, and deploys nothing: for stackset.yaml and Terraform
  --dry-run         prints what it would do
  --help
END
}

say() { printf '%s\n' "$*" >&2; }

die() {
    say "deploy.sh: $*"
    exit 2
}

# One argument, so that a shell would read it as it is.
quote() {
    case $1 in
    *[!A-Za-z0-9_./:=,@%+-]* | '') printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

# Says the command, and does it unless this is a dry run.
result_of() {
    line=
    for argument in "$@"; do
        line="$line $(quote "$argument")"
    done
    if [ "$dry_run" = yes ]; then
        printf '%s\n' "${line# }"
    else
        say "+${line}"
        "$@"
    fi
}

# What most commands answer is no result of this script.
run() {
    if [ "$dry_run" = yes ]; then result_of "$@"; else result_of "$@" >&2; fi
}

# Files are named from where the caller is.
here=$(pwd)
cd "$(dirname "$0")/.."
from_here() {
    case $1 in
    /* | '') printf '%s' "$1" ;;
    *) if [ "$here" = "$(pwd)" ]; then printf '%s' "$1"; else printf '%s/%s' "$here" "$1"; fi ;;
    esac
}

region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
stack=sg-trust
bucket=
policy=
no_policy=no
package=
checksum=
role=
# One a line.
tags=
architecture=arm64
upload_only=no
dry_run=no

while [ $# -gt 0 ]; do
    case $1 in
    --region | --stack | --bucket | --policy | --package | --sha256 | --tags | --role-arn)
        [ $# -ge 2 ] || die "$1 needs a value"
        case $1 in
        --region) region=$2 ;;
        --stack) stack=$2 ;;
        --bucket) bucket=$2 ;;
        --policy) policy=$(from_here "$2") ;;
        --package) case $2 in http://* | https://*) package=$2 ;; *) package=$(from_here "$2") ;; esac ;;
        --sha256) checksum=$2 ;;
        --role-arn) role=$2 ;;
        --tags)
            case $2 in
            ?*=*) ;;
            *) die "--tags $2 is not KEY=VALUE" ;;
            esac
            tags="$tags$2
"
            ;;
        esac
        shift 2
        ;;
    --no-policy) no_policy=yes && shift ;;
    --x86-64) architecture=x86_64 && shift ;;
    --upload-only) upload_only=yes && shift ;;
    --dry-run) dry_run=yes && shift ;;
    --help | -h) usage && exit 0 ;;
    -*) usage >&2 && die "unknown option $1" ;;
    *) break ;;
    esac
done
delivery=
for parameter in "$@"; do
    case $parameter in
    CodeBucket=* | CodeKey=* | Architecture=* | PolicyDigest=*) die "$parameter: deploy.sh sets it itself" ;;
    Delivery=*) delivery=${parameter#Delivery=} ;;
    [A-Z]*=*) ;;
    *) usage >&2 && die "$parameter is not Parameter=Value" ;;
    esac
done
if [ "$no_policy" = yes ]; then
    [ -z "$policy" ] || die "--policy and --no-policy contradict each other"
else
    [ -n "$policy" ] || [ ! -e policy.toml ] || policy=policy.toml
fi
[ -z "$policy" ] || [ -r "$policy" ] || die "$policy cannot be read"
case $package in
http://127.0.0.1[:/]* | http://localhost[:/]* | https://*) ;;
http://*) die "$package: a package comes over https only" ;;
*) [ -z "$package" ] || [ -r "$package" ] || die "$package cannot be read" ;;
esac
case $checksum in
'') ;;
*[!0-9a-fA-F]*) die "--sha256 $checksum is not 64 hexadecimal digits" ;;
*) [ ${#checksum} -eq 64 ] || die "--sha256 $checksum is not 64 hexadecimal digits" ;;
esac

need() {
    command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2"
}
if [ "$dry_run" = no ]; then
    need aws "install the AWS CLI, https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    need python3 "install Python 3"
    [ -n "$package" ] || need cargo-lambda "pip install cargo-lambda (it brings zig along)"
    [ -n "$region" ] || region=$(aws configure get region) || die "no Region: --region, or AWS_REGION"
    account=$(aws --region "$region" sts get-caller-identity --query Account --output text) || die "no credentials for AWS"
else
    [ -n "$region" ] || region=REGION
    # A dry run asks nobody.
    account=ACCOUNT
fi
export AWS_REGION="$region" AWS_DEFAULT_REGION="$region" AWS_PAGER=
is_own_bucket=no
if [ -z "$bucket" ]; then
    is_own_bucket=yes
    bucket=sg-trust-code-$account-$region
fi

sha256() {
    python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}
# As S3 and Lambda write it.
sha256_base64() {
    python3 -c 'import base64, hashlib, sys; print(base64.b64encode(hashlib.sha256(open(sys.argv[1], "rb").read()).digest()).decode())' "$1"
}

# A bad settings file stops every start of the function: refused here, before anything is built.
if [ -n "$policy" ]; then
    if [ -n "${SG_TRUST:-}" ]; then
        run "$SG_TRUST" policy --check "$policy"
    elif [ -n "$package" ] && command -v sg-trust >/dev/null 2>&1; then
        run sg-trust policy --check "$policy"
    else
        [ "$dry_run" = yes ] || need cargo "put the release's sg-trust on PATH, which checks $policy too, or install Rust from https://rustup.rs"
        run cargo run --quiet --locked --no-default-features --target-dir target/core --bin sg-trust -- policy --check "$policy"
    fi
fi

# An upgrade must not lose the settings: what is deployed is compared with what is about to be.
digest=none
[ -z "$policy" ] || digest=$(sha256 "$policy")
# shellcheck disable=SC2016 # the CLI's own quotes
outputs_and_parameters='Stacks[0].[StackStatus, Outputs[?OutputKey==`PolicyDigest`].OutputValue | [0], Outputs[?OutputKey==`FunctionName`].OutputValue | [0], Parameters[?ParameterKey==`Delivery`].ParameterValue | [0], Parameters[?ParameterKey==`CodeBucket`].ParameterValue | [0], Parameters[?ParameterKey==`CodeKey`].ParameterValue | [0]]'
folder=
was_delivery=
compare_settings() {
    if ! found=$(aws --region "$region" cloudformation describe-stacks --stack-name "$stack" --query "$outputs_and_parameters" --output text 2>&1); then
        case $found in
        *"does not exist"*) return ;;
        *) die "the stack $stack cannot be looked up: $found" ;;
        esac
    fi
    tab=$(printf '\t')
    IFS=$tab read -r status was_digest was_function was_delivery was_bucket was_key <<END
$found
END
    case $status in
    REVIEW_IN_PROGRESS | ROLLBACK_COMPLETE) was_delivery= && return ;;
    esac
    [ "$was_function" != None ] || was_function=sg-trust-lambda
    case $was_digest/$digest in
    none/none) say "settings: none, as before" ;;
    None/none)
        [ "$no_policy" = yes ] || die "the deployed stack $stack does not tell whether it has settings, and this deployment has none: give them with --policy FILE, or say --no-policy"
        ;;
    */"$was_digest") say "settings: unchanged (SHA-256 $digest)" ;;
    */none)
        [ "$no_policy" = yes ] || die "the deployed function has settings (policy.toml, SHA-256 $was_digest), and this deployment has none: give them with --policy FILE, or drop them with --no-policy"
        say "settings: drops those with SHA-256 $was_digest"
        ;;
    None/* | none/*) say "settings: packages $policy (SHA-256 $digest)" ;;
    *)
        say "settings: replaces those with SHA-256 $was_digest by $policy (SHA-256 $digest)"
        show_changes
        ;;
    esac
}
# Which lines change, where the deployed package can still be read.
show_changes() {
    if aws --region "$region" s3api get-object --bucket "$was_bucket" --key "$was_key" --expected-bucket-owner "$account" "$folder/deployed.zip" >/dev/null 2>&1 \
        && python3 -c 'import sys, zipfile; open(sys.argv[2], "wb").write(zipfile.ZipFile(sys.argv[1]).read("policy.toml"))' "$folder/deployed.zip" "$folder/policy.toml" 2>/dev/null; then
        diff -u "$folder/policy.toml" "$policy" >&2 || :
    else
        say "(the deployed package cannot be read, so the lines that change are not known)"
    fi
}
if [ "$dry_run" = no ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    [ "$upload_only" = yes ] || compare_settings
elif [ "$upload_only" = no ]; then
    printf '# refuses to drop settings without --no-policy: compares PolicyDigest=%s with the output of\n' "$digest"
    run aws --region "$region" cloudformation describe-stacks --stack-name "$stack"
fi

# Fetches the package of a release.
fetch() {
    python3 -c '
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=60) as answer, open(sys.argv[2], "wb") as file:
    if answer.url.startswith("http:") and not sys.argv[1].startswith("http:"):
        sys.exit(f"{answer.url}: it leads away from https")
    while part := answer.read(1 << 20):
        file.write(part)' "$1" "$2"
}
# The checksum that a list, as sha256sum writes it, has for a name.
listed() {
    python3 -c '
import sys
for line in open(sys.argv[1]):
    digest, _, name = line.strip().partition(" ")
    if name.lstrip(" *") == sys.argv[2]:
        print(digest)
        break' "$1" "$2"
}
if [ -z "$package" ]; then
    if [ "$architecture" = arm64 ]; then flag=--arm64; else flag=--x86-64; fi
    run cargo lambda build --locked --release "$flag" --output-format zip --bin sg-trust-lambda
    package=target/lambda/sg-trust-lambda/bootstrap.zip
elif [ "$dry_run" = yes ]; then
    printf '# checks the SHA-256 of %s: %s\n' "$package" "${checksum:-as SHA256SUMS beside it has it}"
else
    name=${package##*/}
    sums=${package%"$name"}SHA256SUMS
    case $package in
    http://* | https://*)
        say "fetching $package"
        fetch "$package" "$folder/$name" || die "$package cannot be fetched"
        if [ -z "$checksum" ]; then
            fetch "$sums" "$folder/SHA256SUMS" || die "$sums cannot be fetched: give the checksum with --sha256"
            checksum=$(listed "$folder/SHA256SUMS" "$name")
            [ -n "$checksum" ] || die "$sums has no line for $name: give the checksum with --sha256"
        fi
        package=$folder/$name
        ;;
    *)
        if [ -z "$checksum" ] && [ -r "$sums" ]; then checksum=$(listed "$sums" "$name"); fi
        ;;
    esac
    if [ -n "$checksum" ]; then
        is=$(sha256 "$package")
        [ "$is" = "$(printf '%s' "$checksum" | tr A-F a-f)" ] || die "$name is not what it should be: its SHA-256 is $is, and $checksum is expected"
        say "$name has the SHA-256 that is expected"
    fi
fi
packed=target/sg-trust-lambda-$architecture.zip
if [ -n "$policy" ]; then
    run python3 infra/package.py "$package" --architecture "$architecture" --policy "$policy" --output "$packed"
else
    run python3 infra/package.py "$package" --architecture "$architecture" --output "$packed"
fi

# The key names the architecture: a StackSet has one key for Regions of either.
if [ "$dry_run" = yes ]; then
    key=sg-trust-lambda-$architecture-SHA256.zip
    template_key=template-SHA256.yaml
else
    key=sg-trust-lambda-$architecture-$(sha256 "$packed").zip
    template_key=template-$(sha256 infra/template.yaml).yaml
fi

is_new_bucket=no
if [ "$dry_run" = yes ] || ! aws s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" >/dev/null 2>&1; then
    is_new_bucket=yes
    [ "$dry_run" = no ] || printf '# where the bucket is missing:\n'
    # us-east-1 is the one Region that must not be named.
    if [ "$region" = us-east-1 ]; then
        run aws --region "$region" s3api create-bucket --bucket "$bucket"
    else
        run aws --region "$region" s3api create-bucket --bucket "$bucket" --create-bucket-configuration "LocationConstraint=$region"
    fi
    run aws --region "$region" s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
fi
# A bucket that somebody else made keeps what it has; one that has a policy keeps that.
if [ "$is_new_bucket" = yes ] || [ "$is_own_bucket" = yes ]; then
    if [ "$dry_run" = yes ] || [ "$(aws s3api get-bucket-versioning --bucket "$bucket" --query Status --output text 2>/dev/null)" != Enabled ]; then
        run aws --region "$region" s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Enabled
    fi
    if [ "$dry_run" = yes ] || ! aws s3api get-bucket-policy --bucket "$bucket" >/dev/null 2>&1; then
        partition=PARTITION
        [ "$dry_run" = yes ] || partition=$(aws --region "$region" sts get-caller-identity --query Arn --output text | cut -d: -f2)
        run aws --region "$region" s3api put-bucket-policy --bucket "$bucket" --policy \
            '{"Version":"2012-10-17","Statement":[{"Sid":"OnlyTls","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:'"$partition:s3:::$bucket"'","arn:'"$partition:s3:::$bucket"'/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}'
    fi
fi

# What is there under this key is the same, unless somebody else put it there: so the owner is checked, and the checksum that
# S3 has for it, which S3 computes itself.
stored() {
    aws s3api head-object --bucket "$bucket" --key "$1" --expected-bucket-owner "$account" --checksum-mode ENABLED --query ChecksumSHA256 --output text 2>/dev/null || echo missing
}
upload() {
    if [ "$dry_run" = yes ]; then
        printf '# where the key is missing:\n'
    else
        is=$(stored "$2")
    fi
    # An object without a checksum was copied here: it is sent again.
    if [ "$dry_run" = yes ] || [ "$is" = missing ] || [ "$is" = None ]; then
        run aws --region "$region" s3api put-object --bucket "$bucket" --key "$2" --body "$1" --checksum-algorithm SHA256 --expected-bucket-owner "$account" \
            --query ChecksumSHA256 --output text
        [ "$dry_run" = yes ] || is=$(stored "$2")
    fi
    if [ "$dry_run" = no ]; then
        wanted=$(sha256_base64 "$1")
        [ "$is" = "$wanted" ] || die "s3://$bucket/$2 is not what was built: its SHA-256 is $is, and $wanted is expected. Somebody else wrote it: find out who, and delete it"
    fi
}
upload "$packed" "$key"
if [ "$upload_only" = yes ]; then
    upload infra/template.yaml "$template_key"
    printf 'CodeBucket=%s\nCodeKey=%s\nTemplateKey=%s\nPolicyDigest=%s\n' "$bucket" "$key" "$template_key" "$digest"
    exit 0
fi

deploy() {
    # Back to front: each line of $tags goes before the parameters.
    set -- --parameter-overrides "CodeBucket=$bucket" "CodeKey=$key" "Architecture=$architecture" "PolicyDigest=$digest" "$@"
    if [ -n "$tags" ]; then
        old_ifs=$IFS
        IFS='
'
        set -f
        # shellcheck disable=SC2086 # one tag a line
        set -- --tags $tags "$@"
        set +f
        IFS=$old_ifs
    fi
    [ -z "$role" ] || set -- --role-arn "$role" "$@"
    run aws --region "$region" cloudformation deploy --stack-name "$stack" --template-file infra/template.yaml --capabilities CAPABILITY_IAM \
        --no-fail-on-empty-changeset "$@"
}

# Version 1 of the CLI does not heed AWS_ENDPOINT_URL for SQS.
sqs() { aws --region "$region" sqs ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }
waiting() {
    sqs get-queue-attributes --queue-url "$1" --attribute-names ApproximateNumberOfMessages ApproximateNumberOfMessagesNotVisible ApproximateNumberOfMessagesDelayed \
        --query 'Attributes.[ApproximateNumberOfMessages,ApproximateNumberOfMessagesNotVisible,ApproximateNumberOfMessagesDelayed]' --output text | tr '\t' '+'
}
# The numbers are approximate: the queue counts as empty when it has been for three looks.
pause=${SG_TRUST_DRAIN_PAUSE:-20}
drain() {
    queue=$(sqs get-queue-url --queue-name "$was_function-changes" --query QueueUrl --output text) || return 0
    empty=0
    looks=45
    while [ "$empty" -lt 3 ]; do
        count=$(($(waiting "$queue")))
        if [ "$count" -eq 0 ]; then empty=$((empty + 1)); else empty=0; fi
        looks=$((looks - 1))
        [ "$looks" -gt 0 ] || die "the rule invokes the function now, and $count messages still wait in the queue $was_function-changes: run the same command again later"
        [ "$empty" -ge 3 ] || sleep "$pause"
    done
}

# From queue to direct the queue goes. What is in it is handled before: first the rule invokes the function, and the queue stays.
if [ "$delivery" = direct ]; then
    if [ "$dry_run" = yes ]; then
        printf '# where Delivery was queue: first with Delivery=drain, until the queue is empty\n'
    elif [ "$was_delivery" = queue ] || [ "$was_delivery" = drain ]; then
        say "Delivery=drain first: the queue stays until it is empty"
        (
            for parameter in "$@"; do
                shift
                case $parameter in
                Delivery=*) set -- "$@" Delivery=drain ;;
                *) set -- "$@" "$parameter" ;;
                esac
            done
            deploy "$@"
        )
        drain
    fi
fi
deploy "$@"
if [ "$dry_run" = no ]; then
    # What runs is what was built here.
    # shellcheck disable=SC2016 # the CLI's own quotes
    function=$(aws --region "$region" cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Outputs[?OutputKey==`FunctionName`].OutputValue' --output text)
    is=$(aws --region "$region" lambda get-function-configuration --function-name "$function" --query CodeSha256 --output text)
    wanted=$(sha256_base64 "$packed")
    [ "$is" = "$wanted" ] || die "the function $function runs other code than was built: its CodeSha256 is $is, and $wanted is expected"
    say "the function runs what was built: CodeSha256 $is"
else
    printf '# compares CodeSha256 of the function with the package\n'
fi
result_of aws --region "$region" cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' --output text
