# The same as ../../central.yaml, for those who deploy with Terraform; a test compares both. The reasons stand there and are
# not repeated here. One module for each Region of the security account, first in the Region role_region.

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  # `name` and not `region`: the provider's version 5 knows no other.
  region   = data.aws_region.current.name
  boundary = var.permissions_boundary_name == "" ? null : "arn:${local.partition}:iam::${local.account}:policy/${var.permissions_boundary_name}"

  # How often the function's role is made: once in the Region role_region, and nowhere else.
  makes_role = var.role_region == local.region ? 1 : 0
  role_arn   = "arn:${local.partition}:iam::${local.account}:role/${var.role_path}/${var.function_name}-function"

  # The role is of all Regions, and so are its queues.
  queue_arns = "arn:${local.partition}:sqs:*:${local.account}:${var.function_name}"
  # Of the members, in the policies of the key and of the event queue.
  senders = {
    StringEquals = { "aws:PrincipalOrgID" = var.organization_id }
    ArnLike      = { "aws:PrincipalArn" = "arn:${local.partition}:iam::*:role/${var.role_path}/sg-trust-events" }
  }
  visibility_timeout = 6 * var.timeout + 5
}

# ---------------------------------------------------------------- the function

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long is a parameter. The findings are the record; the log is for finding faults.
  name              = "/aws/lambda/${var.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

# The members' roles trust the role of this name, and no other.
resource "aws_iam_role" "this" {
  count = local.makes_role

  name                 = "${var.function_name}-function"
  path                 = "/${var.role_path}/"
  description          = "What the central function of sg-trust may do, in every Region."
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

# The first part: what the binary calls.
resource "aws_iam_role_policy" "called_by_the_function" {
  count = local.makes_role

  name = "called-by-the-function"
  role = aws_iam_role.this[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "AssumeMemberRoles"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Resource  = "arn:${local.partition}:iam::*:role/${var.role_path}/sg-trust-member"
        Condition = { StringEquals = { "aws:ResourceOrgID" = var.organization_id } }
      }],
      [for accounts in [var.accounts] : {
        Sid      = "ListMembers"
        Effect   = "Allow"
        Action   = "organizations:ListAccounts"
        Resource = "*"
      } if length(accounts) == 0],
      [
        {
          Sid      = "QueueSweeps"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = "${local.queue_arns}-work"
        },
        {
          Sid      = "BringBackFailedMessages"
          Effect   = "Allow"
          Action   = "sqs:ChangeMessageVisibility"
          Resource = ["${local.queue_arns}-events", "${local.queue_arns}-work"]
        },
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
          Sid    = "ReadFindings"
          Effect = "Allow"
          Action = [
            "securityhub:DescribeHub",
            "securityhub:GetFindings",
          ]
          Resource = "arn:${local.partition}:securityhub:*:${local.account}:hub/default"
        },
      ],
    )
  })
}

# The second part: what Lambda itself does with the role.
resource "aws_iam_role_policy" "used_by_lambda_itself" {
  count = local.makes_role

  name = "used-by-lambda-itself"
  role = aws_iam_role.this[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "WriteLog"
        Effect = "Allow"
        Action = [
          "logs:CreateLogStream",
          "logs:PutLogEvents",
        ]
        Resource = "arn:${local.partition}:logs:*:${local.account}:log-group:/aws/lambda/${var.function_name}:*"
      },
      {
        Sid      = "SendFailedEvents"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "${local.queue_arns}-failed"
      },
      {
        Sid    = "TakeMessages"
        Effect = "Allow"
        Action = [
          "sqs:DeleteMessage",
          "sqs:GetQueueAttributes",
          "sqs:ReceiveMessage",
        ]
        Resource = ["${local.queue_arns}-events", "${local.queue_arns}-work"]
      },
      {
        Sid    = "UseKeyOfTheQueues"
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource  = "arn:${local.partition}:kms:*:${local.account}:key/*"
        Condition = { StringEquals = { "aws:ResourceTag/sg-trust" = var.function_name } }
      },
    ]
  })
}

resource "aws_kms_key" "this" {
  # The conditions name the organisation, the senders' role and SQS; a principal cannot be a role of every member.
  description         = "Queues and log of the central function of sg-trust."
  enable_key_rotation = true
  tags                = { sg-trust = var.function_name }

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Administration"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "SendersOfTheMembers"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource  = "*"
        Condition = merge(local.senders, { StringLike = { "kms:ViaService" = "sqs.${local.region}.amazonaws.com*" } })
      },
      {
        Sid       = "Log"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.${data.aws_partition.current.dns_suffix}" }
        Action = [
          "kms:Decrypt*",
          "kms:DescribeKey",
          "kms:Encrypt*",
          "kms:GenerateDataKey*",
          "kms:ReEncrypt*",
        ]
        Resource = "*"
        Condition = { ArnEquals = {
          "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.function_name}"
        } }
      },
    ]
  })
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:A trace would tell nothing that the log and the metrics do not, and is billed for every member.
  #checkov:skip=CKV_AWS_115:event_concurrency and sweep_concurrency limit how many batches are worked on at once.
  #checkov:skip=CKV_AWS_116:The failures of asynchronous invocations go to a queue through the event invoke config, with their cause.
  #checkov:skip=CKV_AWS_117:It calls public endpoints of AWS only, of the same Region, and nothing calls it but Lambda.
  #checkov:skip=CKV_AWS_272:Signing needs a signing profile of the organisation's own. The key of the package holds its SHA-256.
  function_name = var.function_name
  description   = "Finds security groups of all member accounts that trust other security groups without restriction."
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]
  s3_bucket     = var.code_bucket
  s3_key        = var.code_key
  layers        = compact([var.policy_layer_arn])
  role          = local.makes_role == 1 ? aws_iam_role.this[0].arn : local.role_arn
  memory_size   = 256
  timeout       = var.timeout
  kms_key_arn   = aws_kms_key.this.arn

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  environment {
    variables = merge(
      {
        SG_TRUST_MEMBER_ROLE = "${var.role_path}/sg-trust-member"
        SG_TRUST_ACCOUNTS    = join(",", var.accounts)
        SG_TRUST_WORK_QUEUE  = aws_sqs_queue.work.arn
        SG_TRUST_PASSED      = var.passed
        SG_TRUST_PREWARM     = var.prewarm
        SG_TRUST_METRICS     = var.metrics
        SSL_CERT_FILE        = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
      },
      var.policy_layer_arn == "" ? {} : { SG_TRUST_POLICY_FILE = "/opt/policy.toml" },
    )
  }

  # The role's policies are resources of their own here: without them the first invocation would fail.
  depends_on = [
    aws_iam_role_policy.called_by_the_function,
    aws_iam_role_policy.used_by_lambda_itself,
  ]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  qualifier                    = "$LATEST"
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letter.arn
    }
  }
}

# ---------------------------------------------------------------- changes

resource "aws_sqs_queue" "event" {
  name                       = "${var.function_name}-events"
  kms_master_key_id          = aws_kms_key.this.arn
  visibility_timeout_seconds = local.visibility_timeout
  message_retention_seconds  = 345600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.event_dead_letter.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "event_dead_letter" {
  name                      = "${var.function_name}-events-failed"
  kms_master_key_id         = aws_kms_key.this.arn
  message_retention_seconds = 1209600

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["arn:${local.partition}:sqs:${local.region}:${local.account}:${var.function_name}-events"]
  })
}

resource "aws_lambda_event_source_mapping" "event" {
  function_name                      = aws_lambda_function.this.function_name
  event_source_arn                   = aws_sqs_queue.event.arn
  enabled                            = var.enabled
  batch_size                         = 10
  maximum_batching_window_in_seconds = 5
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.event_concurrency
  }
}

# ---------------------------------------------------------------- the sweep

resource "aws_sqs_queue" "work" {
  name                       = "${var.function_name}-work"
  kms_master_key_id          = aws_kms_key.this.arn
  visibility_timeout_seconds = local.visibility_timeout
  message_retention_seconds  = 345600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead_letter" {
  name                      = "${var.function_name}-failed"
  kms_master_key_id         = aws_kms_key.this.arn
  message_retention_seconds = 1209600

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["arn:${local.partition}:sqs:${local.region}:${local.account}:${var.function_name}-work"]
  })
}

resource "aws_lambda_event_source_mapping" "work" {
  function_name           = aws_lambda_function.this.function_name
  event_source_arn        = aws_sqs_queue.work.arn
  enabled                 = var.enabled
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.sweep_concurrency
  }
}

resource "aws_scheduler_schedule_group" "sweep" {
  name_prefix = "sg-trust-"
}

resource "aws_iam_role" "sweep" {
  name_prefix          = "sg-trust-sweep-"
  description          = "Starts the sweep of sg-trust."
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
          "aws:SourceArn"     = aws_scheduler_schedule_group.sweep.arn
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "sweep" {
  name = "start-the-sweep"
  role = aws_iam_role.sweep.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = aws_lambda_function.this.arn
      },
      {
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.dead_letter.arn
      },
      {
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource = aws_kms_key.this.arn
      },
    ]
  })
}

resource "aws_scheduler_schedule" "sweep" {
  #checkov:skip=CKV_AWS_297:The schedule holds nothing but the word sweep-all, and EventBridge Scheduler encrypts it.
  name_prefix         = "sg-trust-"
  description         = "Has every member account swept, for what events do not tell."
  group_name          = aws_scheduler_schedule_group.sweep.name
  state               = var.enabled ? "ENABLED" : "DISABLED"
  schedule_expression = var.sweep_rate

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.sweep.arn
    input    = jsonencode({ action = "sweep-all" })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 185
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letter.arn
    }
  }

  depends_on = [aws_iam_role_policy.sweep]
}

# ---------------------------------------------------------------- who may send

locals {
  queues = {
    event             = aws_sqs_queue.event
    event_dead_letter = aws_sqs_queue.event_dead_letter
    work              = aws_sqs_queue.work
    dead_letter       = aws_sqs_queue.dead_letter
  }
}

# The members' rules send to the event queue; no policy lets another account send to the others.
resource "aws_sqs_queue_policy" "this" {
  for_each = local.queues

  queue_url = each.value.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = each.value.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for name in [each.key] : {
        Sid       = "SendersOfTheMembers"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = "sqs:SendMessage"
        Resource  = each.value.arn
        Condition = local.senders
      } if name == "event"],
    )
  })
}

# ---------------------------------------------------------------- alarms

locals {
  has_metric_alarms = var.metrics == "on"

  of_function = { FunctionName = aws_lambda_function.this.function_name }

  # Where nothing else is said: one in five minutes is too many.
  usual = { statistic = "Sum", period = 300, evaluation_periods = 1, datapoints_to_alarm = 1, threshold = 1, comparison = "GreaterThanOrEqualToThreshold", missing = "notBreaching" }
  # What also happens now and then when all is well.
  lasting = { evaluation_periods = 3, datapoints_to_alarm = 2 }

  alarms = merge(
    {
      errors = merge(local.usual, local.lasting, {
        namespace   = "AWS/Lambda", metric = "Errors", dimensions = local.of_function
        description = "The central function fails again and again. Read the lines of level ERROR in the log: they say what to do."
      })
      throttles = merge(local.usual, local.lasting, {
        namespace   = "AWS/Lambda", metric = "Throttles", dimensions = local.of_function
        description = "The central function is throttled. Raise the concurrency of the account, or lower event_concurrency and sweep_concurrency."
      })
      dead-letters = merge(local.usual, {
        namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.dead_letter.name }
        statistic   = "Maximum"
        description = "Sweeps of members that failed stand in the dead-letter queue, or schedules that could not be delivered. The log names the account and says what to do."
      })
      event-dead-letters = merge(local.usual, {
        namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.event_dead_letter.name }
        statistic   = "Maximum"
        description = "Changes that could not be evaluated stand in the dead-letter queue of the event queue. Remove the cause, then move them back (aws sqs start-message-move-task)."
      })
      event-queue-age = merge(local.usual, {
        namespace   = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = aws_sqs_queue.event.name }
        statistic   = "Maximum", evaluation_periods = 3, datapoints_to_alarm = 3
        threshold   = 900 # seconds
        description = "Changes wait in the event queue for a quarter of an hour and longer. Raise event_concurrency, or read the log for an account that fails."
      })
    },
    { for is_wanted in [local.has_metric_alarms] : "events-refused" => merge(local.usual, {
      namespace   = "sg-trust", metric = "EventsRefused", dimensions = local.of_function
      description = "Messages were refused: forged, of an account that is not listed, or an action from a member. The log names the account that each claims."
    }) if is_wanted },
    { for is_wanted in [local.has_metric_alarms] : "findings-refused" => merge(local.usual, {
      namespace   = "sg-trust", metric = "FindingsRefused", dimensions = local.of_function
      description = "Security Hub refused findings of sg-trust. The log names the group and the reason."
    }) if is_wanted },
    { for is_wanted in [local.has_metric_alarms] : "findings-from-future" => merge(local.usual, {
      namespace   = "sg-trust", metric = "FindingsFromFuture", dimensions = local.of_function
      description = "Findings of sg-trust have a time still to come, from a wrong clock or an import by somebody else. The sweep publishes over them."
    }) if is_wanted },
    { for is_wanted in [local.has_metric_alarms && var.enabled] : "sweep-missing" => merge(local.usual, {
      namespace   = "sg-trust", metric = "SweepSucceeded", dimensions = local.of_function
      period      = 3600, evaluation_periods = var.sweep_silence_hours, datapoints_to_alarm = var.sweep_silence_hours
      comparison  = "LessThanThreshold", missing = "breaching"
      description = "No sweep of any account came to its end for hours: what events do not tell goes unseen. Check the schedule and the work queue."
    }) if is_wanted },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.create_alarms }

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = each.value.datapoints_to_alarm
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison
  treat_missing_data  = each.value.missing
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}
