# What the module makes of its variables, without an account. The comparison with ../../administrator.yaml takes the states of
# the runs from here (tests/infra/test_terraform_administrator.py).

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
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:mocked" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws-us-gov:logs:us-gov-west-1:123456789012:log-group:mocked" }
  }
  mock_resource "aws_sfn_state_machine" {
    defaults = { arn = "arn:aws-us-gov:states:us-gov-west-1:123456789012:stateMachine:mocked" }
  }
}

variables {
  topic_arn = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:people"
}

run "defaults" {
  assert {
    condition     = aws_cloudwatch_event_rule.new_finding.state == "ENABLED" && length(aws_sfn_state_machine.check_again) == 0
    error_message = "People are not told, or something is there that nobody asked for."
  }
}

run "everything" {
  variables {
    topic_key_arn             = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/0a1b2c3d"
    format                    = "chat"
    severity_floor            = "HIGH"
    alarm_topic_arn           = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:alarms"
    check_again_queue_name    = "sg-trust-work"
    create_fleet_alarm        = true
    create_dashboard          = true
    create_automation_rule    = true
    permissions_boundary_name = "boundaries/developers"
  }
}

run "function" {
  variables {
    enabled                   = false
    check_again_function_name = "sg-trust-lambda"
    create_insights           = false
  }

  assert {
    condition     = aws_cloudwatch_event_rule.new_finding.state == "DISABLED"
    error_message = "People are told."
  }
}

run "check_again_goes_one_way" {
  command = plan

  variables {
    check_again_function_name = "sg-trust-lambda"
    check_again_queue_name    = "sg-trust-work"
  }

  expect_failures = [aws_cloudwatch_event_target.check_again_function]
}
