output "member_role_arn" {
  description = "The role that the central function assumes."
  value       = "arn:${local.partition}:iam::${local.account}:role/${var.role_path}/sg-trust-member"
}

output "undelivered_queue_url" {
  description = "Changes that could not be delivered."
  value       = aws_sqs_queue.undelivered.url
}
