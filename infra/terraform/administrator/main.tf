# The same as ../../administrator.yaml, for those who deploy with Terraform; a test compares both. The reasons stand there and
# are not repeated here. One module, in the home Region of Security Hub's administrator account.

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  # `name` and not `region`: the provider's version 5 knows no other.
  region   = data.aws_region.current.name
  suffix   = data.aws_partition.current.dns_suffix
  boundary = var.permissions_boundary_name == "" ? null : "arn:${local.partition}:iam::${local.account}:policy/${var.permissions_boundary_name}"

  policy     = "AWS.SecurityGroup.RestrictsInterSecurityGroupTraffic"
  severities = ["LOW", "MEDIUM", "HIGH", "CRITICAL"]
  console    = lookup({ aws-us-gov = "console.amazonaws-us-gov.com", aws-cn = "console.amazonaws.cn" }, local.partition, "console.aws.amazon.com")
  check_again_pattern = {
    source      = ["aws.securityhub"]
    account     = [local.account]
    region      = [local.region]
    detail-type = ["Security Hub Findings - Custom Action"]
    resources   = ["arn:${local.partition}:securityhub:${local.region}:${local.account}:action/custom/CheckAgain"]
  }
  queues = toset(compact([var.check_again_queue_name]))

  retry = { ErrorEquals = ["States.ALL"], IntervalSeconds = 2, BackoffRate = 2 }
  deliver_log = {
    Sid    = "DeliverLog"
    Effect = "Allow"
    Action = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]
    Resource = "*"
  }
  trust = { for name, service in { start = "events.amazonaws.com", machine = "states.amazonaws.com" } : name => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = service }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  }) }
}

# ---------------------------------------------------------------- new FAILED findings

resource "aws_cloudwatch_event_rule" "new_finding" {
  name_prefix = "sg-trust-"
  description = "New FAILED findings of sg-trust, to tell people."
  state       = var.enabled ? "ENABLED" : "DISABLED"

  event_pattern = jsonencode({
    source      = ["aws.securityhub"]
    account     = [local.account]
    region      = [local.region]
    detail-type = ["Security Hub Findings - Imported"]
    detail = { findings = {
      GeneratorId = [local.policy]
      RecordState = ["ACTIVE"]
      Compliance  = { Status = ["FAILED"] }
      Workflow    = { Status = ["NEW"] }
      Severity    = { Label = slice(local.severities, index(local.severities, var.severity_floor), length(local.severities)) }
    } }
  })
}

resource "aws_cloudwatch_event_target" "new_finding" {
  rule      = aws_cloudwatch_event_rule.new_finding.name
  target_id = "tell"
  arn       = aws_sfn_state_machine.tell.arn
  role_arn  = aws_iam_role.start.arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letter.arn
  }
}

resource "aws_iam_role" "start" {
  name_prefix          = "sg-trust-start-"
  description          = "Starts the state machines of sg-trust."
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust.start
}

resource "aws_iam_role_policy" "start" {
  name = "start"
  role = aws_iam_role.start.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "states:StartExecution"
      Resource = concat([aws_sfn_state_machine.tell.arn], [for machine in aws_sfn_state_machine.check_again : machine.arn])
    }]
  })
}

resource "aws_iam_role" "tell" {
  name_prefix          = "sg-trust-tell-"
  description          = "Tells people of findings of sg-trust."
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust.machine
}

resource "aws_iam_role_policy" "tell" {
  #checkov:skip=CKV_AWS_355:The actions for the delivery of logs have no resource that could be named.
  #checkov:skip=CKV_AWS_290:The actions for the delivery of logs take no condition that would narrow them.
  name = "tell"
  role = aws_iam_role.tell.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Tell"
          Effect   = "Allow"
          Action   = "sns:Publish"
          Resource = var.topic_arn
        },
        {
          Sid       = "NoteThatPeopleWereTold"
          Effect    = "Allow"
          Action    = "securityhub:BatchUpdateFindings"
          Resource  = "arn:${local.partition}:securityhub:${local.region}:${local.account}:hub/default"
          Condition = { StringEquals = { "securityhub:ASFFSyntaxPath/Workflow.Status" = "NOTIFIED" } }
        },
      ],
      [for key in compact([var.topic_key_arn]) : {
        Sid       = "UseKeyOfTopic"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = key
        Condition = { StringEquals = { "kms:ViaService" = "sns.${local.region}.${local.suffix}" } }
      }],
      [local.deliver_log],
    )
  })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:It holds executions that failed, whose findings Security Hub holds anyway; CloudWatch Logs encrypts it with its own key.
  #checkov:skip=CKV_AWS_338:How long is a parameter; the findings in Security Hub are the record.
  name_prefix       = "/aws/vendedlogs/states/sg-trust-"
  retention_in_days = var.log_retention_days
}

resource "aws_sfn_state_machine" "tell" {
  #checkov:skip=CKV_AWS_285:Failed executions are logged without their data, which stands in Security Hub.
  name_prefix = "sg-trust-tell-"
  role_arn    = aws_iam_role.tell.arn

  tracing_configuration {
    enabled = true
  }

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = false
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  definition = jsonencode({
    Comment = "Tells people of one finding, and notes that they were told."
    StartAt = "TakeFinding"
    States = {
      TakeFinding = { Type = "Pass", InputPath = "$.detail.findings[0]", ResultPath = "$.finding", Next = "HasFix" }
      HasFix = {
        Type    = "Choice"
        Choices = [{ Variable = "$.finding.ProductFields['sg-trust/fix/1']", IsPresent = true, Next = "TakeFix" }]
        Default = "NoFix"
      }
      TakeFix = { Type = "Pass", InputPath = "$.finding.ProductFields['sg-trust/fix/1']", ResultPath = "$.fix", Next = "Write" }
      NoFix   = { Type = "Pass", Result = "See the finding in the console.", ResultPath = "$.fix", Next = "Write" }
      Write = {
        Type = "Pass"
        Parameters = {
          "finding.$" = "$.finding"
          "subject.$" = "States.Format('sg-trust {} in account {}, {}', $.finding.Severity.Label, $.finding.AwsAccountId, $.finding.Region)"
          "link.$"    = "States.Format('https://${local.console}/securityhub/home?region=${local.region}#/findings?search=Id%3D{}', $.finding.Id)"
          "what.$"    = "$.finding.Description"
          "fix.$"     = "$.fix"
        }
        Next = "Publish"
      }
      Publish = {
        Type     = "Task"
        Resource = "arn:${local.partition}:states:::sns:publish"
        Parameters = merge(
          { TopicArn = var.topic_arn, "Subject.$" = "$.subject" },
          { for format in [var.format] : "Message" => {
            version = "1.0"
            source  = "custom"
            content = {
              textType        = "client-markdown"
              "title.$"       = "$.subject"
              "description.$" = "States.Format('{}\\n\\nFirst fix (allow what is needed before):\\n```\\n{}\\n```\\n{}', $.what, $.fix, $.link)"
            }
            metadata = { "summary.$" = "$.subject", "threadId.$" = "$.finding.Id" }
          } if format == "chat" },
          { for format in [var.format] : "Message.$" => "States.Format('{}\\n\\n{}\\n\\nFirst fix (allow what is needed before):\\n{}\\n\\n{}\\n', $.subject, $.what, $.fix, $.link)" if format == "text" },
        )
        ResultPath = "$.told"
        Retry      = [merge(local.retry, { MaxAttempts = 8 })]
        Next       = "Note"
      }
      Note = {
        Type     = "Task"
        Resource = "arn:${local.partition}:states:::aws-sdk:securityhub:batchUpdateFindings"
        Parameters = {
          FindingIdentifiers = [{ "Id.$" = "$.finding.Id", "ProductArn.$" = "$.finding.ProductArn" }]
          Workflow           = { Status = "NOTIFIED" }
        }
        ResultPath = "$.noted"
        Retry      = [merge(local.retry, { MaxAttempts = 8 })]
        Next       = "WasNoted"
      }
      WasNoted = {
        Type    = "Choice"
        Choices = [{ Variable = "$.noted.UnprocessedFindings[0]", IsPresent = true, Next = "NotNoted" }]
        Default = "Done"
      }
      NotNoted = {
        Type  = "Fail"
        Error = "NotNoted"
        Cause = "Security Hub did not set the finding NOTIFIED; people are told again when it is imported again."
      }
      Done = { Type = "Succeed" }
    }
  })

  depends_on = [aws_iam_role_policy.tell]
}

# ---------------------------------------------------------------- what could not be told

resource "aws_sqs_queue" "dead_letter" {
  name_prefix               = "sg-trust-administrator-"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  redrive_allow_policy      = jsonencode({ redrivePermission = "denyAll" })
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
        Condition = { ArnEquals = { "aws:SourceArn" = concat(
          [aws_cloudwatch_event_rule.new_finding.arn],
          [for rule in aws_cloudwatch_event_rule.check_again_function : rule.arn],
          [for rule in aws_cloudwatch_event_rule.check_again_queue : rule.arn],
        ) } }
      },
    ]
  })
}

locals {
  alarms = {
    not-told = {
      namespace   = "AWS/States", metric = "ExecutionsFailed", dimensions = { StateMachineArn = aws_sfn_state_machine.tell.arn }, statistic = "Sum"
      description = "People were not told of a finding of sg-trust, or told and not noted so. Look at the failed executions of the state machine, and redrive them there."
    }
    not-started = {
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.dead_letter.name }, statistic = "Maximum"
      description = "EventBridge could not start the state machine for findings of sg-trust. The events stand in the dead-letter queue of this stack."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "sg-trust-administrator-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
}

# ---------------------------------------------------------------- check again

resource "aws_securityhub_action_target" "check_again" {
  count = var.check_again_function_name == "" && var.check_again_queue_name == "" ? 0 : 1

  name        = "Check again"
  identifier  = "CheckAgain"
  description = "Evaluate the group now"
}

resource "aws_cloudwatch_event_rule" "check_again_function" {
  for_each = toset(compact([var.check_again_function_name]))

  name_prefix   = "sg-trust-"
  description   = "Findings to be checked again, by the function of this account."
  event_pattern = jsonencode(local.check_again_pattern)
}

resource "aws_cloudwatch_event_target" "check_again_function" {
  for_each = aws_cloudwatch_event_rule.check_again_function

  rule      = each.value.name
  target_id = "function"
  arn       = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${each.key}"

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letter.arn
  }

  lifecycle {
    precondition {
      condition     = var.check_again_queue_name == ""
      error_message = "check_again_function_name and check_again_queue_name exclude each other."
    }
  }
}

resource "aws_lambda_permission" "check_again" {
  for_each = aws_cloudwatch_event_rule.check_again_function

  function_name = each.key
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = each.value.arn
}

resource "aws_cloudwatch_event_rule" "check_again_queue" {
  for_each = local.queues

  name_prefix   = "sg-trust-"
  description   = "Findings to be checked again, by the function in central mode."
  event_pattern = jsonencode(local.check_again_pattern)
}

resource "aws_cloudwatch_event_target" "check_again_queue" {
  for_each = local.queues

  rule      = aws_cloudwatch_event_rule.check_again_queue[each.key].name
  target_id = "check-again"
  arn       = aws_sfn_state_machine.check_again[each.key].arn
  role_arn  = aws_iam_role.start.arn

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letter.arn
  }
}

resource "aws_iam_role" "check_again" {
  for_each = local.queues

  name_prefix          = "sg-trust-check-again-"
  description          = "Has findings of sg-trust checked again."
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust.machine
}

resource "aws_iam_role_policy" "check_again" {
  #checkov:skip=CKV_AWS_355:The actions for the delivery of logs have no resource that could be named.
  #checkov:skip=CKV_AWS_290:The actions for the delivery of logs take no condition that would narrow them.
  for_each = local.queues

  name = "check-again"
  role = aws_iam_role.check_again[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "AskTheFunction"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "arn:${local.partition}:sqs:${local.region}:${local.account}:${each.key}"
      },
      local.deliver_log,
    ]
  })
}

resource "aws_sfn_state_machine" "check_again" {
  #checkov:skip=CKV_AWS_285:Failed executions are logged without their data, which stands in Security Hub.
  for_each = local.queues

  name_prefix = "sg-trust-check-again-"
  role_arn    = aws_iam_role.check_again[each.key].arn

  tracing_configuration {
    enabled = true
  }

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = false
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  definition = jsonencode({
    Comment = "Has the function evaluate the groups of findings, each in its account."
    StartAt = "EachFinding"
    States = {
      EachFinding = {
        Type           = "Map"
        ItemsPath      = "$.detail.findings"
        MaxConcurrency = 5
        ItemProcessor = {
          ProcessorConfig = { Mode = "INLINE" }
          StartAt         = "IsOwn"
          States = {
            IsOwn = {
              Type = "Choice"
              Choices = [{
                And = [
                  { Variable = "$.GeneratorId", StringEquals = local.policy },
                  { Variable = "$.Region", StringEquals = local.region },
                ]
                Next = "Ask"
              }]
              Default = "NotOwn"
            }
            Ask = {
              Type     = "Task"
              Resource = "arn:${local.partition}:states:::sqs:sendMessage"
              Parameters = {
                QueueUrl = "https://sqs.${local.region}.${local.suffix}/${local.account}/${each.key}"
                MessageBody = {
                  action        = "evaluate"
                  "account.$"   = "$.AwsAccountId"
                  "group_ids.$" = "States.Array(States.ArrayGetItem(States.StringSplit($.Id, '/'), 3))"
                }
              }
              Retry = [merge(local.retry, { MaxAttempts = 5 })]
              End   = true
            }
            NotOwn = { Type = "Succeed" }
          }
        }
        End = true
      }
    }
  })

  depends_on = [aws_iam_role_policy.check_again]
}

# ---------------------------------------------------------------- pictures

resource "aws_cloudwatch_metric_alarm" "fleet" {
  count = var.create_fleet_alarm ? 1 : 0

  alarm_name          = "sg-trust-fleet"
  alarm_description   = "Functions of sg-trust fail again and again. The alarm's contributors are the accounts; their logs say what to do."
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])

  metric_query {
    id          = "errors"
    expression  = "SELECT SUM(Errors) FROM SCHEMA(\"AWS/Lambda\", FunctionName) WHERE FunctionName = '${var.function_name}' GROUP BY AWS.AccountId"
    period      = 300
    return_data = true
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.create_dashboard ? 1 : 0

  dashboard_name = "sg-trust-fleet-${local.region}"

  dashboard_body = jsonencode({
    widgets = [
      for place, widget in [
        { title = "Errors by account", metric = "Errors", schema = "AWS/Lambda", order = "DESC", period = 300, id = "errors" },
        { title = "FAILED groups by account", metric = "GroupsFailed", schema = "sg-trust", order = "DESC", period = 300, id = "failed" },
        { title = "Messages that failed, by account", metric = "MessagesFailed", schema = "sg-trust", order = "DESC", period = 300, id = "messages" },
        { title = "Sweeps by account", metric = "SweepSucceeded", schema = "sg-trust", order = "ASC", period = 3600, id = "sweeps" },
        ] : {
        type   = "metric"
        x      = place % 2 * 12
        y      = floor(place / 2) * 6
        width  = 12
        height = 6
        properties = {
          title  = widget.title
          region = local.region
          stat   = "Sum"
          period = widget.period
          metrics = [[{
            id         = widget.id
            expression = "SELECT SUM(${widget.metric}) FROM SCHEMA(\"${widget.schema}\", FunctionName) WHERE FunctionName = '${var.function_name}' GROUP BY AWS.AccountId ORDER BY SUM() ${widget.order} LIMIT 20"
          }]]
        }
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
      value      = local.policy
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

resource "aws_securityhub_automation_rule" "example" {
  count = var.create_automation_rule ? 1 : 0

  rule_name   = "sg-trust in production"
  rule_order  = 500
  rule_status = "DISABLED"
  is_terminal = false
  description = "FAILED findings of sg-trust on groups with the tag Environment=production are HIGH."

  criteria {
    generator_id {
      comparison = "EQUALS"
      value      = local.policy
    }

    compliance_status {
      comparison = "EQUALS"
      value      = "FAILED"
    }

    record_state {
      comparison = "EQUALS"
      value      = "ACTIVE"
    }

    severity_label {
      comparison = "EQUALS"
      value      = "LOW"
    }

    severity_label {
      comparison = "EQUALS"
      value      = "MEDIUM"
    }

    resource_tags {
      comparison = "EQUALS"
      key        = "Environment"
      value      = "production"
    }
  }

  actions {
    type = "FINDING_FIELDS_UPDATE"

    finding_fields_update {
      severity {
        label = "HIGH"
      }
    }
  }
}
