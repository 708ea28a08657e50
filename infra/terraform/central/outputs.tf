output "function_name" {
  description = "The function."
  value       = aws_lambda_function.this.function_name
}

output "function_role_arn" {
  description = "The role that the members' roles trust."
  value       = local.role_arn
}

output "event_queue_arn" {
  description = "Where the members' rules send changes."
  value       = aws_sqs_queue.event.arn
}

output "event_queue_key_arn" {
  description = "The key of the queues, central_key_arn of ../member."
  value       = aws_kms_key.this.arn
}

output "event_dead_letter_queue_arn" {
  description = "Where changes stand that could not be evaluated."
  value       = aws_sqs_queue.event_dead_letter.arn
}

output "dead_letter_queue_url" {
  description = "Where sweeps and schedules stand that failed."
  value       = aws_sqs_queue.dead_letter.url
}
