output "tell_arn" {
  description = "The state machine that tells people."
  value       = aws_sfn_state_machine.tell.arn
}

output "new_finding_rule_name" {
  description = "The rule for new FAILED findings."
  value       = aws_cloudwatch_event_rule.new_finding.name
}

output "dead_letter_queue_url" {
  description = "Where events stand that could not start the state machine."
  value       = aws_sqs_queue.dead_letter.url
}
