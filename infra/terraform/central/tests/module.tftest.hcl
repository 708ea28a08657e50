# What the module makes of its variables, without an account. The comparison with ../../central.yaml takes the states of the
# runs from here (tests/infra/test_terraform_central.py). Each queue has an ARN of its own, so that none stands for another.

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
  override_resource {
    target = aws_sqs_queue.event
    values = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:EventQueue" }
  }
  override_resource {
    target = aws_sqs_queue.event_dead_letter
    values = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:EventDeadLetterQueue" }
  }
  override_resource {
    target = aws_sqs_queue.work
    values = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:WorkQueue" }
  }
  override_resource {
    target = aws_sqs_queue.dead_letter
    values = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:DeadLetterQueue" }
  }
  override_resource {
    target = aws_iam_role.sweep
    values = { arn = "arn:aws-us-gov:iam::123456789012:role/SweepRole" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws-us-gov:iam::123456789012:role/Role" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/Key" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:Function" }
  }
  mock_resource "aws_scheduler_schedule_group" {
    defaults = { arn = "arn:aws-us-gov:scheduler:us-gov-west-1:123456789012:schedule-group/SweepGroup" }
  }
}

variables {
  organization_id = "o-abcdefghij"
  role_region     = "us-gov-west-1"
  code_bucket     = "sg-trust-code"
  code_key        = "sg-trust-lambda-arm64-0123.zip"
}

run "defaults" {
  assert {
    condition     = aws_lambda_event_source_mapping.event.enabled && aws_lambda_event_source_mapping.work.enabled && aws_scheduler_schedule.sweep.state == "ENABLED"
    error_message = "Messages are not taken, or no sweep is started."
  }
  assert {
    condition     = output.function_role_arn == "arn:aws-us-gov:iam::123456789012:role/security/sg-trust-central-function"
    error_message = "The members' roles trust another role."
  }
  assert {
    condition     = output.event_queue_key_arn == aws_kms_key.this.arn && output.event_queue_arn == aws_sqs_queue.event.arn
    error_message = "The outputs are not what the members need."
  }
}

run "everything" {
  variables {
    accounts                  = ["111111111111", "222222222222"]
    role_path                 = "platform/security"
    architecture              = "x86_64"
    policy_layer_arn          = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:layer:policy:1"
    sweep_rate                = "cron(0 3 * * ? *)"
    passed                    = "active"
    prewarm                   = "off"
    function_name             = "sg-trust-other"
    timeout                   = 900
    event_concurrency         = 20
    sweep_concurrency         = 5
    log_level                 = "DEBUG"
    log_retention_days        = 365
    alarm_topic_arn           = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:alarms"
    sweep_silence_hours       = 50
    permissions_boundary_name = "boundaries/developers"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_actions) == 1])
    error_message = "An alarm notifies nobody."
  }
}

run "elsewhere" {
  variables {
    role_region = "us-gov-east-1"
  }

  assert {
    condition     = length(aws_iam_role.this) == 0 && aws_lambda_function.this.role == output.function_role_arn
    error_message = "A second Region makes a role of the same name, or does not use the first's."
  }
}

run "stopped" {
  variables {
    enabled = false
  }

  assert {
    condition     = !aws_lambda_event_source_mapping.event.enabled && !aws_lambda_event_source_mapping.work.enabled && aws_scheduler_schedule.sweep.state == "DISABLED"
    error_message = "Something goes on."
  }
}

run "lean" {
  variables {
    metrics = "off"
  }

  assert {
    condition     = length([for alarm in aws_cloudwatch_metric_alarm.this : alarm if alarm.namespace == "sg-trust"]) == 0
    error_message = "An alarm reads a metric that is never written."
  }
}

run "silent" {
  variables {
    create_alarms = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 0
    error_message = "There are alarms that nobody asked for."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    organization_id   = "abcdefghij"
    accounts          = ["111111111111", "22222222222"]
    role_path         = "/security/"
    role_region       = "everywhere"
    architecture      = "arm"
    code_key          = "package.tar"
    sweep_rate        = "daily"
    function_name     = "sg-trust-central-with-more-than-forty-letters"
    timeout           = 901
    event_concurrency = 1
    sweep_concurrency = 1001
  }

  expect_failures = [
    var.organization_id, var.accounts, var.role_path, var.role_region, var.architecture, var.code_key, var.sweep_rate, var.function_name,
    var.timeout, var.event_concurrency, var.sweep_concurrency,
  ]
}
