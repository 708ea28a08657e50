# What the module makes of its variables, without an account: `terraform test`. The comparison with ../template.yaml takes
# the states of the runs "defaults" and "everything" from here (tests/infra/test_terraform.py).

mock_provider "aws" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov", dns_suffix = "amazonaws.com" }
  }
  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "123456789012" }
  }
  override_data {
    target = data.aws_region.current
    values = { name = "us-gov-west-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws-us-gov:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:sg-trust-lambda" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:mocked" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws-us-gov:logs:us-gov-west-1:123456789012:log-group:/aws/lambda/sg-trust-lambda" }
  }
  mock_resource "aws_scheduler_schedule_group" {
    defaults = { arn = "arn:aws-us-gov:scheduler:us-gov-west-1:123456789012:schedule-group/mocked" }
  }
}

variables {
  code_bucket = "sg-trust-code"
  code_key    = "sg-trust-lambda-arm64-0123.zip"
}

run "defaults" {
  assert {
    condition     = aws_cloudwatch_event_rule.change.state == "ENABLED" && aws_scheduler_schedule.sweep.state == "ENABLED"
    error_message = "The rule and the schedule are not enabled."
  }
  assert {
    condition     = length(aws_sqs_queue.change) == 0 && length(aws_lambda_permission.change) == 1
    error_message = "Direct delivery needs the permission, and no queue."
  }
  assert {
    condition     = output.product_arn == "arn:aws-us-gov:securityhub:us-gov-west-1:123456789012:product/123456789012/default"
    error_message = "The product's ARN is not of this partition, Region and account."
  }
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "Concurrency is reserved: a new account refuses that."
  }
  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0 && aws_lambda_function.this.kms_key_arn == null
    error_message = "There is a VPC or a key that nobody asked for."
  }
}

run "everything" {
  variables {
    architecture              = "x86_64"
    policy_digest             = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    code_signing_config_arn   = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:code-signing-config:csc-0123456789abcdef0"
    config_items              = true
    tag_changes               = true
    custom_action             = true
    notice_topic_name         = "notices"
    policy_layer_arn          = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:layer:policy:1"
    delivery                  = "queue"
    timeout                   = 900
    tracing                   = "Active"
    alarm_topic_arn           = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:alarms"
    create_dashboard          = true
    create_insights           = true
    permissions_boundary_name = "boundaries/developers"
    kms_key_arn               = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/0a1b2c3d"
    subnet_ids                = ["subnet-0a1b2c3d"]
    security_group_ids        = ["sg-0a1b2c3d"]
    use_fips_endpoint         = true
    use_dualstack_endpoint    = true
  }

  assert {
    condition     = aws_cloudwatch_event_target.change.arn == aws_sqs_queue.change[0].arn && length(aws_lambda_permission.change) == 0
    error_message = "The rule does not fill the queue, or may invoke the function without need."
  }
  assert {
    condition     = aws_sqs_queue.change[0].visibility_timeout_seconds >= 6 * aws_lambda_function.this.timeout
    error_message = "A throttled batch would be delivered twice."
  }
  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws-us-gov:iam::123456789012:policy/boundaries/developers" && aws_iam_role.sweep.permissions_boundary == aws_iam_role.this.permissions_boundary
    error_message = "A role has not the permissions boundary."
  }
  assert {
    condition     = alltrue([for key in [aws_cloudwatch_log_group.this.kms_key_id, aws_sqs_queue.dead_letter.kms_master_key_id, aws_sqs_queue.change[0].kms_master_key_id, aws_lambda_function.this.kms_key_arn] : key == var.kms_key_arn])
    error_message = "Something is not encrypted with the key."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_actions) == 1])
    error_message = "An alarm notifies nobody."
  }
}

run "stopped" {
  variables {
    enabled  = false
    delivery = "queue"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.change.state == "DISABLED" && aws_scheduler_schedule.sweep.state == "DISABLED" && !aws_lambda_event_source_mapping.change[0].enabled
    error_message = "Something goes on."
  }
  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "sweep-missing")
    error_message = "An alarm waits for sweeps that nobody starts."
  }
}

run "lean" {
  variables {
    metrics          = "off"
    create_alarms    = true
    alarm_topic_name = "alarms"
    delivery         = "drain"
  }

  assert {
    condition     = aws_cloudwatch_event_target.change.arn == aws_lambda_function.this.arn && length(aws_lambda_event_source_mapping.change) == 1
    error_message = "The queue is not drained while the rule invokes the function."
  }

  assert {
    condition     = length([for alarm in aws_cloudwatch_metric_alarm.this : alarm if alarm.namespace == "sg-trust"]) == 0
    error_message = "An alarm reads a metric that is never written."
  }
}

run "a_vpc_needs_security_groups" {
  command = plan

  variables {
    subnet_ids = ["subnet-0a1b2c3d"]
  }

  expect_failures = [aws_lambda_function.this]
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    architecture        = "arm"
    sweep_rate          = "daily"
    timeout             = 901
    sweep_silence_hours = 200
    code_key            = "package.tar"
    delivery            = "Queue"
  }

  expect_failures = [var.architecture, var.sweep_rate, var.timeout, var.sweep_silence_hours, var.code_key, var.delivery]
}
