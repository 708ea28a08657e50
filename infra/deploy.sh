#!/bin/sh
# Builds the function and deploys infra/template.yaml with it: build, package, key by SHA-256, upload, deploy.
# Needs the AWS CLI with credentials, python3, and to build cargo with cargo-lambda.
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
  --x86-64          for x86-64 instead of arm64
  --package FILE    a ZIP, or a Linux binary, that is built already
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
package=
architecture=arm64
upload_only=no
dry_run=no

while [ $# -gt 0 ]; do
    case $1 in
    --region | --stack | --bucket | --policy | --package)
        [ $# -ge 2 ] || die "$1 needs a value"
        case $1 in
        --region) region=$2 ;;
        --stack) stack=$2 ;;
        --bucket) bucket=$2 ;;
        --policy) policy=$(from_here "$2") ;;
        --package) package=$(from_here "$2") ;;
        esac
        shift 2
        ;;
    --x86-64) architecture=x86_64 && shift ;;
    --upload-only) upload_only=yes && shift ;;
    --dry-run) dry_run=yes && shift ;;
    --help | -h) usage && exit 0 ;;
    -*) usage >&2 && die "unknown option $1" ;;
    *) break ;;
    esac
done
for parameter in "$@"; do
    case $parameter in
    CodeBucket=* | CodeKey=* | Architecture=*) die "$parameter: deploy.sh sets it itself" ;;
    [A-Z]*=*) ;;
    *) usage >&2 && die "$parameter is not Parameter=Value" ;;
    esac
done
[ -n "$policy" ] || [ ! -e policy.toml ] || policy=policy.toml
[ -z "$policy" ] || [ -r "$policy" ] || die "$policy cannot be read"
[ -z "$package" ] || [ -r "$package" ] || die "$package cannot be read"

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
bucket=${bucket:-sg-trust-code-$account-$region}

# A bad settings file stops every start of the function: refused here, before anything is built.
if [ -n "$policy" ]; then
    if [ -n "${SG_TRUST:-}" ]; then
        run "$SG_TRUST" policy --check "$policy"
    else
        run cargo run --quiet --locked --no-default-features --target-dir target/core --bin sg-trust -- policy --check "$policy"
    fi
fi

if [ -z "$package" ]; then
    if [ "$architecture" = arm64 ]; then flag=--arm64; else flag=--x86-64; fi
    run cargo lambda build --locked --release "$flag" --output-format zip --bin sg-trust-lambda
    package=target/lambda/sg-trust-lambda/bootstrap.zip
fi
packed=target/sg-trust-lambda-$architecture.zip
if [ -n "$policy" ]; then
    run python3 infra/package.py "$package" --policy "$policy" --output "$packed"
else
    run python3 infra/package.py "$package" --output "$packed"
fi

sha256() {
    python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}
# The key names the architecture: a StackSet has one key for Regions of either.
if [ "$dry_run" = yes ]; then
    key=sg-trust-lambda-$architecture-SHA256.zip
    template_key=template-SHA256.yaml
else
    key=sg-trust-lambda-$architecture-$(sha256 "$packed").zip
    template_key=template-$(sha256 infra/template.yaml).yaml
fi

if [ "$dry_run" = yes ] || ! aws s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" >/dev/null 2>&1; then
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

# What is there under this key is the same, unless somebody else put it there: so the owner is checked, and S3 the checksum.
upload() {
    if [ "$dry_run" = yes ] || ! aws s3api head-object --bucket "$bucket" --key "$2" --expected-bucket-owner "$account" >/dev/null 2>&1; then
        [ "$dry_run" = no ] || printf '# where the key is missing:\n'
        run aws --region "$region" s3api put-object --bucket "$bucket" --key "$2" --body "$1" --checksum-algorithm SHA256 --expected-bucket-owner "$account" \
            --query ChecksumSHA256 --output text
    fi
}
upload "$packed" "$key"
if [ "$upload_only" = yes ]; then
    upload infra/template.yaml "$template_key"
    printf 'CodeBucket=%s\nCodeKey=%s\nTemplateKey=%s\n' "$bucket" "$key" "$template_key"
    exit 0
fi

run aws --region "$region" cloudformation deploy --stack-name "$stack" --template-file infra/template.yaml --capabilities CAPABILITY_IAM \
    --no-fail-on-empty-changeset --parameter-overrides "CodeBucket=$bucket" "CodeKey=$key" "Architecture=$architecture" "$@"
result_of aws --region "$region" cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' --output text
