# What the module makes of its variables, without an account. The comparison with ../../member.yaml takes the states of the
# runs from here (tests/infra/test_terraform_central.py).

mock_provider "aws" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov", dns_suffix = "amazonaws.com" }
  }
  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "222222222222" }
  }
  override_data {
    target = data.aws_region.current
    values = { name = "us-gov-west-1" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws-us-gov:sqs:us-gov-west-1:222222222222:sg-trust-undelivered" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws-us-gov:events:us-gov-west-1:222222222222:rule/sg-trust-changes" }
  }
}

variables {
  central_account_id = "123456789012"
  role_region        = "us-gov-west-1"
}

run "defaults" {
  assert {
    condition     = aws_cloudwatch_event_rule.change.state == "ENABLED" && length(aws_iam_role.member) == 1 && length(aws_iam_role.sending) == 1
    error_message = "Changes are not sent, or a role is missing."
  }
  assert {
    condition     = output.member_role_arn == "arn:aws-us-gov:iam::222222222222:role/security/sg-trust-member"
    error_message = "The role is not where the central function looks for it."
  }
}

run "everything" {
  variables {
    central_function_name     = "sg-trust-other"
    central_key_arn           = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/0a1b2c3d"
    role_path                 = "platform/security"
    permissions_boundary_name = "boundaries/developers"
  }
}

run "elsewhere" {
  variables {
    role_region = "us-gov-east-1"
  }

  assert {
    condition     = length(aws_iam_role.member) == 0 && length(aws_iam_role.sending) == 0
    error_message = "A second Region makes roles of the same name."
  }
}

run "stopped" {
  variables {
    enabled = false
  }

  assert {
    condition     = aws_cloudwatch_event_rule.change.state == "DISABLED"
    error_message = "Changes are still sent."
  }
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    central_account_id        = "12345678901"
    central_function_name     = "sg trust"
    central_key_arn           = "alias/sg-trust"
    role_path                 = "/security/"
    role_region               = "everywhere"
    permissions_boundary_name = "a*"
  }

  expect_failures = [
    var.central_account_id, var.central_function_name, var.central_key_arn, var.role_path, var.role_region, var.permissions_boundary_name,
  ]
}
