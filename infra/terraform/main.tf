# The same as ../template.yaml, for those who deploy with Terraform; a test compares both. The reasons stand there and are
# not repeated here. One module for each account and Region; it configures no provider and uses no other module.

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  # `name` and not `region`: the provider's version 5 knows no other.
  region = data.aws_region.current.name

  product_arn  = "arn:${local.partition}:securityhub:${local.region}:${local.account}:product/${local.account}/default"
  hub_arn      = "arn:${local.partition}:securityhub:${local.region}:${local.account}:hub/default"
  rule_arn     = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.function_name}"
  function_arn = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.function_name}"
  boundary     = var.permissions_boundary_name == "" ? null : "arn:${local.partition}:iam::${local.account}:policy/${var.permissions_boundary_name}"

  is_queue  = var.delivery == "queue"
  has_queue = var.delivery != "direct"
  is_in_vpc = length(var.subnet_ids) > 0
  has_key   = var.kms_key_arn != ""

  network_interface_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]
}

# ---------------------------------------------------------------- the function

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long is a parameter. The findings are the record; the log is for finding faults.
  name              = "/aws/lambda/${var.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.has_key ? var.kms_key_arn : null
}

resource "aws_iam_role" "this" {
  name_prefix          = "sg-trust-"
  description          = "What the function sg-trust may do."
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

# The first part: what the binary calls.
resource "aws_iam_role_policy" "called_by_the_function" {
  name = "called-by-the-function"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid    = "ReadSecurityGroups"
        Effect = "Allow"
        Action = [
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSecurityGroupRules",
          "ec2:DescribeVpcs",
        ]
        Resource  = "*"
        Condition = { StringEquals = { "aws:RequestedRegion" = local.region } }
      },
      {
        Sid       = "PublishFindingsOfThisAccount"
        Effect    = "Allow"
        Action    = "securityhub:BatchImportFindings"
        Resource  = local.product_arn
        Condition = { StringEquals = { "securityhub:TargetAccount" = local.account } }
      },
      {
        Sid    = "ReadFindings"
        Effect = "Allow"
        Action = [
          "securityhub:DescribeHub",
          "securityhub:GetFindings",
        ]
        Resource = local.hub_arn
      },
      ], [for queue in aws_sqs_queue.change : {
        Sid      = "BringBackFailedMessages"
        Effect   = "Allow"
        Action   = "sqs:ChangeMessageVisibility"
        Resource = queue.arn
    }])
  })
}

# The second part: what Lambda itself does with the role.
resource "aws_iam_role_policy" "used_by_lambda_itself" {
  name = "used-by-lambda-itself"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid    = "WriteLog"
          Effect = "Allow"
          Action = [
            "logs:CreateLogStream",
            "logs:PutLogEvents",
          ]
          Resource = "${aws_cloudwatch_log_group.this.arn}:*"
        },
        {
          Sid      = "SendFailedEvents"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = aws_sqs_queue.dead_letter.arn
        },
      ],
      [for queue in aws_sqs_queue.change : {
        Sid    = "TakeEvents"
        Effect = "Allow"
        Action = [
          "sqs:DeleteMessage",
          "sqs:GetQueueAttributes",
          "sqs:ReceiveMessage",
        ]
        Resource = queue.arn
      }],
      [for key in compact([var.kms_key_arn]) : {
        Sid    = "UseKey"
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource  = key
        Condition = { StringEquals = { "kms:ViaService" = [for service in ["lambda", "sqs"] : "${service}.${local.region}.${data.aws_partition.current.dns_suffix}"] } }
      }],
      [for mode in [var.tracing] : {
        Sid    = "WriteTraces"
        Effect = "Allow"
        Action = [
          "xray:PutTelemetryRecords",
          "xray:PutTraceSegments",
        ]
        Resource = "*"
      } if mode == "Active"],
      [for effect in local.is_in_vpc ? ["Allow"] : [] : {
        Sid      = "ManageNetworkInterfaces"
        Effect   = effect
        Action   = local.network_interface_actions
        Resource = "*"
      }],
      [for effect in local.is_in_vpc ? ["Deny"] : [] : {
        Sid       = "NotForTheCode"
        Effect    = effect
        Action    = local.network_interface_actions
        Resource  = "*"
        Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arn } }
      }],
    )
  })
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:The failures of asynchronous invocations go to the same queue through the event invoke config, with their cause.
  #checkov:skip=CKV_AWS_272:Signing needs a signing profile of the organisation's own: code_signing_config_arn. The key of the package holds its SHA-256.
  function_name = var.function_name
  description   = "Finds security groups that trust other security groups without restriction."
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]
  s3_bucket     = var.code_bucket
  s3_key        = var.code_key
  layers        = compact([var.policy_layer_arn])
  # Of the organisation's own.
  code_signing_config_arn = var.code_signing_config_arn == "" ? null : var.code_signing_config_arn
  role                    = aws_iam_role.this.arn

  memory_size                    = 256
  timeout                        = var.timeout
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = local.has_key ? var.kms_key_arn : null

  tracing_config {
    mode = var.tracing
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  dynamic "vpc_config" {
    for_each = local.is_in_vpc ? [true] : []

    content {
      subnet_ids                  = var.subnet_ids
      security_group_ids          = var.security_group_ids
      ipv6_allowed_for_dual_stack = var.use_dualstack_endpoint
    }
  }

  environment {
    variables = merge(
      {
        SG_TRUST_PASSED            = var.passed
        SG_TRUST_PREWARM           = var.prewarm
        SG_TRUST_METRICS           = var.metrics
        SSL_CERT_FILE              = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
        AWS_USE_FIPS_ENDPOINT      = tostring(var.use_fips_endpoint)
        AWS_USE_DUALSTACK_ENDPOINT = tostring(var.use_dualstack_endpoint)
      },
      var.policy_layer_arn == "" ? {} : { SG_TRUST_POLICY_FILE = "/opt/policy.toml" },
    )
  }

  lifecycle {
    precondition {
      condition     = local.is_in_vpc == (length(var.security_group_ids) > 0)
      error_message = "subnet_ids and security_group_ids go together."
    }
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

# ---------------------------------------------------------------- failures

resource "aws_sqs_queue" "dead_letter" {
  name_prefix               = "${var.function_name}-dead-letters-"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = local.has_key ? null : true
  kms_master_key_id         = local.has_key ? var.kms_key_arn : null

  redrive_allow_policy = jsonencode(merge(
    { redrivePermission = local.has_queue ? "byQueue" : "denyAll" },
    local.has_queue ? { sourceQueueArns = ["arn:${local.partition}:sqs:${local.region}:${local.account}:${var.function_name}-changes"] } : {},
  ))
}

resource "aws_sqs_queue_policy" "dead_letter" {
  queue_url = aws_sqs_queue.dead_letter.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.dead_letter.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "RulesOfThisStack"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.dead_letter.arn
        Condition = { ArnEquals = { "aws:SourceArn" = concat([local.rule_arn], [for trigger in ["config", "tag", "custom_action"] : aws_cloudwatch_event_rule.other[trigger].arn if contains(keys(local.other_triggers), trigger)]) } }
      },
    ]
  })
}

# ---------------------------------------------------------------- changes

resource "aws_cloudwatch_event_rule" "change" {
  name        = var.function_name
  description = "Changes of security groups, for sg-trust."
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
  target_id = "sg-trust"
  arn       = local.is_queue ? one(aws_sqs_queue.change).arn : aws_lambda_function.this.arn

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letter.arn
  }

  # What lets it deliver is there before it delivers there.
  depends_on = [aws_lambda_permission.change, aws_sqs_queue_policy.change]
}

resource "aws_lambda_permission" "change" {
  count = local.is_queue ? 0 : 1

  function_name = aws_lambda_function.this.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = local.rule_arn
}

resource "aws_sqs_queue" "change" {
  count = local.has_queue ? 1 : 0

  name                       = "${var.function_name}-changes"
  visibility_timeout_seconds = 6 * var.timeout + 5
  message_retention_seconds  = 345600
  sqs_managed_sse_enabled    = local.has_key ? null : true
  kms_master_key_id          = local.has_key ? var.kms_key_arn : null

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue_policy" "change" {
  count = local.has_queue ? 1 : 0

  queue_url = aws_sqs_queue.change[0].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.change[0].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "RuleOfThisStack"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.change[0].arn
        Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arn } }
      },
    ]
  })
}

resource "aws_lambda_event_source_mapping" "change" {
  count = local.has_queue ? 1 : 0

  function_name                      = aws_lambda_function.this.function_name
  event_source_arn                   = aws_sqs_queue.change[0].arn
  enabled                            = var.enabled
  batch_size                         = 100
  maximum_batching_window_in_seconds = 5
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }
}

# ---------------------------------------------------------------- other triggers, off by default

locals {
  other_triggers = merge(
    { for is_wanted in [var.config_items] : "config" => {
      description = "Security groups as AWS Config records them, for sg-trust."
      pattern = {
        source      = ["aws.config"]
        detail-type = ["Config Configuration Item Change", "Oversized Config Configuration Item Change"]
        detail = { "$or" = [
          { configurationItem = { resourceType = ["AWS::EC2::SecurityGroup"] } },
          { configurationItemSummary = { resourceType = ["AWS::EC2::SecurityGroup"] } },
        ] }
      }
    } if is_wanted },
    { for is_wanted in [var.tag_changes] : "tag" => {
      description = "Tags of security groups, for sg-trust."
      pattern     = { source = ["aws.tag"], detail-type = ["Tag Change on Resource"], detail = { service = ["ec2"], resource-type = ["security-group"] } }
    } if is_wanted },
    { for is_wanted in [var.custom_action] : "custom_action" => {
      description = "Findings to be checked again, for sg-trust."
      pattern = {
        source      = ["aws.securityhub"]
        detail-type = ["Security Hub Findings - Custom Action"]
        resources   = ["arn:${local.partition}:securityhub:${local.region}:${local.account}:action/custom/CheckAgain"]
      }
    } if is_wanted },
  )
}

resource "aws_cloudwatch_event_rule" "other" {
  for_each = local.other_triggers

  name_prefix   = "sg-trust-"
  description   = each.value.description
  state         = var.enabled ? "ENABLED" : "DISABLED"
  event_pattern = jsonencode(merge({ account = [local.account], region = [local.region] }, each.value.pattern))
}

resource "aws_cloudwatch_event_target" "other" {
  for_each = local.other_triggers

  rule      = aws_cloudwatch_event_rule.other[each.key].name
  target_id = "sg-trust"
  arn       = aws_lambda_function.this.arn

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letter.arn
  }

  depends_on = [aws_lambda_permission.other]
}

resource "aws_lambda_permission" "other" {
  for_each = local.other_triggers

  function_name = aws_lambda_function.this.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.other[each.key].arn
}

# ---------------------------------------------------------------- the sweep

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
    Statement = concat(
      [
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
      ],
      [for key in compact([var.kms_key_arn]) : {
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:GenerateDataKey",
        ]
        Resource  = key
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      }],
    )
  })
}

resource "aws_scheduler_schedule" "sweep" {
  #checkov:skip=CKV_AWS_297:The schedule holds nothing but the word sweep, and EventBridge Scheduler encrypts it.
  name_prefix         = "sg-trust-"
  description         = "Evaluates every security group, for what events do not tell."
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
    input    = jsonencode({ action = "sweep" })

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

# ---------------------------------------------------------------- alarms

locals {
  has_metric_alarms = var.create_alarms && var.metrics == "on"

  topic_arns = "arn:${local.partition}:sns:${local.region}:${local.account}"
  pages      = var.alarm_topic_arn != "" ? [var.alarm_topic_arn] : [for name in compact([var.alarm_topic_name]) : "${local.topic_arns}:${name}"]
  notices    = var.notice_topic_arn != "" ? [var.notice_topic_arn] : [for name in compact([var.notice_topic_name]) : "${local.topic_arns}:${name}"]
  # What tells that an evaluation is lost, or will be: somebody must act now. The others can wait.
  is_page = ["dead-letters", "destination-failures", "rule-dead-letters-lost", "messages-not-retryable", "sweep-missing"]

  of_function = { FunctionName = aws_lambda_function.this.function_name }
  of_rule     = { RuleName = aws_cloudwatch_event_rule.change.name }

  # Where nothing else is said: one in five minutes is too many.
  usual = { statistic = "Sum", period = 300, evaluation_periods = 1, datapoints_to_alarm = 1, threshold = 1, comparison = "GreaterThanOrEqualToThreshold", missing = "notBreaching" }
  # What also happens now and then when all is well.
  lasting = { evaluation_periods = 3, datapoints_to_alarm = 2 }
  slow    = { statistic = "Maximum", comparison = "GreaterThanThreshold", evaluation_periods = 3, datapoints_to_alarm = 2 }

  alarms = merge(
    {
      errors = merge(local.usual, local.lasting, {
        namespace   = "AWS/Lambda", metric = "Errors", dimensions = local.of_function
        description = "sg-trust fails again and again. Read the lines of level ERROR in the log: they say what to do."
      })
      throttles = merge(local.usual, local.lasting, {
        namespace   = "AWS/Lambda", metric = "Throttles", dimensions = local.of_function
        description = "sg-trust is throttled. Raise the account's or the function's concurrency, or use delivery = queue."
      })
      dead-letters = merge(local.usual, {
        namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.dead_letter.name }
        statistic   = "Maximum"
        description = "Events that sg-trust could not handle stand in the dead-letter queue. Remove the cause, then hand them out again."
      })
      async-event-age = merge(local.usual, local.slow, {
        namespace   = "AWS/Lambda", metric = "AsyncEventAge", dimensions = local.of_function
        threshold   = 600000 # milliseconds
        description = "Events wait more than ten minutes for sg-trust. It is throttled, or fails and is tried again."
      })
      async-events-dropped = merge(local.usual, {
        namespace   = "AWS/Lambda", metric = "AsyncEventsDropped", dimensions = local.of_function
        description = "Lambda gave up on events for sg-trust. They stand in the dead-letter queue, unless an alarm says that they could not be sent there."
      })
      destination-failures = merge(local.usual, {
        namespace   = "AWS/Lambda", metric = "DestinationDeliveryFailures", dimensions = local.of_function
        description = "Lambda could not send failed events of sg-trust to the dead-letter queue. Check the role, the key policy and the queue, then start a sweep."
      })
      rule-failures = merge(local.usual, {
        namespace   = "AWS/Events", metric = "FailedInvocations", dimensions = local.of_rule
        description = "EventBridge could not deliver events to sg-trust. Check the function's permission for the rule, or the queue's policy and key."
      })
      rule-dead-letters-lost = merge(local.usual, {
        namespace   = "AWS/Events", metric = "InvocationsFailedToBeSentToDlq", dimensions = local.of_rule
        description = "EventBridge could not send undelivered events to the dead-letter queue: they are lost. Check its policy and key, then start a sweep."
      })
    },
    { for name in aws_sqs_queue.change[*].name : "change-queue-age" => merge(local.usual, local.slow, {
      namespace   = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = name }
      threshold   = 600 # seconds
      description = "Events wait more than ten minutes in the queue of sg-trust. It is throttled, or fails and is tried again."
    }) },
    { for is_wanted in [local.has_metric_alarms] : "messages-failed" => merge(local.usual, local.lasting, {
      namespace   = "sg-trust", metric = "MessagesFailed", dimensions = local.of_function
      description = "Messages for sg-trust fail again and again; with delivery = queue Errors does not count them. Read the lines of level ERROR in the log."
    }) if is_wanted },
    { for is_wanted in [local.has_metric_alarms] : "messages-not-retryable" => merge(local.usual, {
      namespace   = "sg-trust", metric = "MessagesNotRetryable", dimensions = local.of_function
      description = "sg-trust cannot do what events ask for, and trying again is of no use: Security Hub is off, or a permission is missing. The log says what to do."
    }) if is_wanted },
    { for is_wanted in [local.has_metric_alarms] : "findings-refused" => merge(local.usual, {
      namespace   = "sg-trust", metric = "FindingsRefused", dimensions = local.of_function
      description = "Security Hub refused findings of sg-trust. The log names the group and the reason."
    }) if is_wanted },
    { for is_wanted in [local.has_metric_alarms] : "findings-from-future" => merge(local.usual, {
      namespace   = "sg-trust", metric = "FindingsFromFuture", dimensions = local.of_function
      description = "Findings of sg-trust had a time still to come: somebody with a wrong clock, or with bad intent, imported them. The sweep has published over them; look in CloudTrail for BatchImportFindings by others."
    }) if is_wanted },
    { for is_wanted in [local.has_metric_alarms && var.enabled] : "sweep-missing" => merge(local.usual, {
      namespace   = "sg-trust", metric = "SweepSucceeded", dimensions = local.of_function
      period      = 3600, evaluation_periods = var.sweep_silence_hours, datapoints_to_alarm = var.sweep_silence_hours
      comparison  = "LessThanThreshold", missing = "breaching"
      description = "No sweep of sg-trust came to its end for hours: what events do not tell goes unseen. Check the schedule, and the log for the last sweep; start one by hand."
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
  alarm_actions       = contains(local.is_page, each.key) ? local.pages : local.notices
  ok_actions          = contains(local.is_page, each.key) ? local.pages : []
}

# ---------------------------------------------------------------- pictures

resource "aws_cloudwatch_dashboard" "this" {
  count = var.create_dashboard ? 1 : 0

  dashboard_name = "${var.function_name}-${local.region}"

  dashboard_body = jsonencode({
    widgets = [
      for place, widget in [
        { title = "Groups", stat = "Sum", period = 300, metrics = [
          ["sg-trust", "GroupsEvaluated", "FunctionName", var.function_name], [".", "GroupsFailed", ".", "."],
        ] },
        { title = "Findings", stat = "Sum", period = 300, metrics = [
          ["sg-trust", "FindingsPublished", "FunctionName", var.function_name], [".", "FindingsRefused", ".", "."], [".", "FindingsFromFuture", ".", "."],
        ] },
        { title = "From event to finding", stat = "p99", period = 300, metrics = [
          ["sg-trust", "EventAge", "FunctionName", var.function_name, { stat = "p50" }], ["...", { stat = "p99" }],
        ] },
        { title = "Sweeps", stat = "Sum", period = 3600, metrics = [
          ["sg-trust", "SweepDuration", "FunctionName", var.function_name, { stat = "Maximum" }], [".", "SweepSucceeded", ".", ".", { stat = "Sum", yAxis = "right" }],
        ] },
        { title = "Function", stat = "Sum", period = 300, metrics = [
          ["AWS/Lambda", "Invocations", "FunctionName", var.function_name], [".", "Errors", ".", "."], [".", "Throttles", ".", "."],
          ["sg-trust", "StaleReads", ".", "."], [".", "EventsIgnored", ".", "."], [".", "EventsForeign", ".", "."],
        ] },
        { title = "Dead letters", stat = "Maximum", period = 300, metrics = [
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.dead_letter.name],
        ] },
        ] : {
        type       = "metric"
        x          = place % 3 * 8
        y          = floor(place / 3) * 6
        width      = 8
        height     = 6
        properties = merge(widget, { region = local.region })
      }
    ]
  })
}

resource "aws_securityhub_insight" "this" {
  for_each = var.create_insights ? { group = "ResourceId", account = "AwsAccountId", severity = "SeverityLabel" } : {}

  name               = "sg-trust: security groups that trust others, by ${each.key}"
  group_by_attribute = each.value

  filters {
    generator_id {
      comparison = "EQUALS"
      value      = "AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic"
    }

    compliance_status {
      comparison = "EQUALS"
      value      = "FAILED"
    }

    record_state {
      comparison = "EQUALS"
      value      = "ACTIVE"
    }
  }
}
