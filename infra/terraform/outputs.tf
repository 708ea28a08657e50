output "function_name" {
  description = "The function, for `cargo lambda deploy` and `aws lambda invoke`."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}

output "change_rule_name" {
  description = "The rule for changes."
  value       = aws_cloudwatch_event_rule.change.name
}

output "dead_letter_queue_url" {
  description = "Where events stand that could not be handled."
  value       = aws_sqs_queue.dead_letter.url
}

output "policy_digest" {
  description = "The SHA-256 of the policy.toml in the package."
  value       = var.policy_digest
}

output "product_arn" {
  description = "The product that the findings are of."
  value       = local.product_arn
}
