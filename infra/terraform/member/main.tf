# The same as ../../member.yaml, for those who deploy with Terraform; a test compares both. The reasons stand there and are
# not repeated here. One module for each member account and Region, first in the Region role_region.

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  # `name` and not `region`: the provider's version 5 knows no other.
  region   = data.aws_region.current.name
  boundary = var.permissions_boundary_name == "" ? null : "arn:${local.partition}:iam::${local.account}:policy/${var.permissions_boundary_name}"

  # How often the roles are made: once in the Region role_region, and nowhere else.
  makes_roles = var.role_region == local.region ? 1 : 0
}

# ---------------------------------------------------------------- what the central function does here

resource "aws_iam_role" "member" {
  count = local.makes_roles

  name                 = "sg-trust-member"
  path                 = "/${var.role_path}/"
  description          = "What the central function of sg-trust may do in this account."
  max_session_duration = 3600
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:${local.partition}:iam::${var.central_account_id}:root" }
      Action    = "sts:AssumeRole"
      Condition = { ArnEquals = {
        "aws:PrincipalArn" = "arn:${local.partition}:iam::${var.central_account_id}:role/${var.role_path}/${var.central_function_name}-function"
      } }
    }]
  })
}

resource "aws_iam_role_policy" "called_by_the_function" {
  count = local.makes_roles

  name = "called-by-the-function"
  role = aws_iam_role.member[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadSecurityGroups"
        Effect = "Allow"
        Action = [
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSecurityGroupRules",
          "ec2:DescribeVpcs",
        ]
        Resource = "*"
      },
      {
        Sid       = "PublishFindingsOfThisAccount"
        Effect    = "Allow"
        Action    = "securityhub:BatchImportFindings"
        Resource  = "arn:${local.partition}:securityhub:*:${local.account}:product/${local.account}/default"
        Condition = { StringEquals = { "securityhub:TargetAccount" = local.account } }
      },
      {
        Sid      = "ReadFindings"
        Effect   = "Allow"
        Action   = "securityhub:GetFindings"
        Resource = "arn:${local.partition}:securityhub:*:${local.account}:hub/default"
      },
    ]
  })
}

# ---------------------------------------------------------------- changes

resource "aws_iam_role" "sending" {
  count = local.makes_roles

  name                 = "sg-trust-events"
  path                 = "/${var.role_path}/"
  description          = "Sends changes of security groups to the central queues of sg-trust."
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:events:*:${local.account}:rule/sg-trust-changes" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "send_changes" {
  count = local.makes_roles

  name = "send-changes"
  role = aws_iam_role.sending[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "SendChanges"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "arn:${local.partition}:sqs:*:${var.central_account_id}:${var.central_function_name}-events"
      },
      {
        Sid    = "UseKeyOfTheQueue"
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource  = var.central_key_arn != "" ? var.central_key_arn : "arn:${local.partition}:kms:*:${var.central_account_id}:key/*"
        Condition = { StringLike = { "kms:ViaService" = "sqs.*.amazonaws.com*" } }
      },
      {
        Sid      = "SendWhatWasNotDelivered"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "arn:${local.partition}:sqs:*:${local.account}:sg-trust-undelivered"
      },
    ]
  })
}

resource "aws_cloudwatch_event_rule" "change" {
  name        = "sg-trust-changes"
  description = "Changes of security groups, for the central function of sg-trust."
  state       = var.enabled ? "ENABLED" : "DISABLED"

  event_pattern = jsonencode({
    source      = ["aws.ec2"]
    account     = [local.account]
    region      = [local.region]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource = ["ec2.amazonaws.com"]
      errorCode   = [{ exists = false }]
      "$or" = [
        {
          eventName = [
            "AssociateSecurityGroupVpc",
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "CreateDefaultVpc",
            "CreateSecurityGroup",
            "CreateVpc",
            "DeleteSecurityGroup",
            "DeleteVpc",
            "DisassociateSecurityGroupVpc",
            "ModifySecurityGroupRules",
            "RevokeSecurityGroupEgress",
            "RevokeSecurityGroupIngress",
            "UpdateSecurityGroupRuleDescriptionsEgress",
            "UpdateSecurityGroupRuleDescriptionsIngress",
          ]
        },
        {
          eventName         = ["CreateTags", "DeleteTags"]
          requestParameters = { resourcesSet = { items = { resourceId = [{ prefix = "sg-" }] } } }
        },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "change" {
  rule      = aws_cloudwatch_event_rule.change.name
  target_id = "sg-trust-central"
  arn       = "arn:${local.partition}:sqs:${local.region}:${var.central_account_id}:${var.central_function_name}-events"
  role_arn  = "arn:${local.partition}:iam::${local.account}:role/${var.role_path}/sg-trust-events"

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  # What lets it deliver is there before it delivers.
  depends_on = [aws_iam_role_policy.send_changes, aws_sqs_queue_policy.undelivered]
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "sg-trust-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  redrive_allow_policy      = jsonencode({ redrivePermission = "denyAll" })
}

resource "aws_sqs_queue_policy" "undelivered" {
  queue_url = aws_sqs_queue.undelivered.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.undelivered.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "RuleOfThisStack"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.undelivered.arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.change.arn } }
      },
    ]
  })
}
