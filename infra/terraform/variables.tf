# The same as the parameters of ../template.yaml, in Terraform's spelling; a test compares names and defaults.

# Code

variable "code_bucket" {
  description = "The S3 bucket that holds the package, in the Region of the provider."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.code_bucket))
    error_message = "The name of an S3 bucket, without s3:// before it."
  }
}

variable "code_key" {
  description = "The key of the package in the bucket. infra/deploy.sh --upload-only names it by architecture and SHA-256, so new code is a new key."
  type        = string

  validation {
    condition     = can(regex("^[^/].*\\.zip$", var.code_key))
    error_message = "The key of a .zip object."
  }
}

variable "architecture" {
  description = "What the package was built for."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "arm64 or x86_64."
  }
}

variable "policy_digest" {
  description = "The SHA-256 of the policy.toml in the package, as infra/deploy.sh --upload-only prints it."
  type        = string
  default     = "none"

  validation {
    condition     = can(regex("^(none|[0-9a-f]{64})$", var.policy_digest))
    error_message = "A SHA-256 in 64 hexadecimal digits, or none."
  }
}

variable "code_signing_config_arn" {
  description = "Lambda takes only code that is signed by one of the profiles of this code signing configuration. Nothing: any code."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:code-signing-config:csc-[a-z0-9]{17})?$", var.code_signing_config_arn))
    error_message = "The ARN of a code signing configuration of Lambda, or nothing."
  }
}

variable "policy_layer_arn" {
  description = "A layer with policy.toml at its top, so that exemptions change without new code. Nothing: policy.toml of the package, or the built-in defaults."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+)?$", var.policy_layer_arn))
    error_message = "The ARN of a version of a Lambda layer, or nothing."
  }
}

# What it does

variable "enabled" {
  description = "false stops the rule, the queue and the schedule, and keeps everything else."
  type        = bool
  default     = true
}

variable "delivery" {
  description = "direct: the rule invokes the function. queue: the rule fills a queue from which the function takes batches, for accounts with bursts of changes. drain: the way from queue back to direct; the queue stays until it is empty."
  type        = string
  default     = "direct"

  validation {
    condition     = contains(["direct", "queue", "drain"], var.delivery)
    error_message = "direct, queue or drain."
  }
}

variable "config_items" {
  description = "Also evaluates a group when AWS Config records its change; for accounts without a trail."
  type        = bool
  default     = false
}

variable "tag_changes" {
  description = "Also evaluates a group when Tag Editor or another service changes its tags."
  type        = bool
  default     = false
}

variable "custom_action" {
  description = "Also evaluates the groups of findings on which the custom action CheckAgain was chosen in Security Hub of this account."
  type        = bool
  default     = false
}

variable "sweep_rate" {
  description = "How often the whole account is evaluated. A rate fires at once, so the deployment starts the first sweep."
  type        = string
  default     = "rate(12 hours)"

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minute|minutes|hour|hours|day|days)\\)|cron\\([^()]+\\))$", var.sweep_rate))
    error_message = "A rate such as rate(12 hours), or a cron expression of EventBridge Scheduler."
  }
}

variable "passed" {
  description = "What becomes of the finding of a group that passed."
  type        = string
  default     = "archive"

  validation {
    condition     = contains(["archive", "active"], var.passed)
    error_message = "archive or active."
  }
}

variable "prewarm" {
  description = "Opens the connections to EC2 and Security Hub while the function initialises."
  type        = string
  default     = "on"

  validation {
    condition     = contains(["on", "off"], var.prewarm)
    error_message = "on or off."
  }
}

# How it runs

variable "function_name" {
  description = "The function's name, also in metrics and the log group."
  type        = string
  default     = "sg-trust-lambda"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.function_name))
    error_message = "1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "timeout" {
  description = "Seconds an invocation may take. Reading 20 000 findings takes a sweep 67 seconds within the quota of Security Hub."
  type        = number
  default     = 300

  validation {
    condition     = contains([60, 120, 300, 600, 900], var.timeout)
    error_message = "60, 120, 300, 600 or 900."
  }
}

variable "reserved_concurrency" {
  description = "Reserved concurrency; -1 reserves none. A new account has 10 in all and refuses to reserve any. 0 stops the function."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency >= -1 && var.reserved_concurrency <= 1000
    error_message = "-1 for none, or 0 to 1000."
  }
}

variable "tracing" {
  description = "Active sends traces to AWS X-Ray, which are billed."
  type        = string
  default     = "PassThrough"

  validation {
    condition     = contains(["PassThrough", "Active"], var.tracing)
    error_message = "PassThrough or Active."
  }
}

# What it tells

variable "log_level" {
  description = "The least level of log lines. Nothing above INFO: the metrics are log lines, and Lambda drops lines below the level."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["INFO", "DEBUG"], var.log_level)
    error_message = "INFO or DEBUG."
  }
}

variable "log_retention_days" {
  description = "Days after which log lines are deleted."
  type        = number
  default     = 90

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days
    )
    error_message = "One of the retentions that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "metrics" {
  description = "Custom metrics, in the namespace sg-trust, which are billed. The alarms that read them need them."
  type        = string
  default     = "on"

  validation {
    condition     = contains(["on", "off"], var.metrics)
    error_message = "on or off."
  }
}

variable "create_alarms" {
  description = "Creates the alarms."
  type        = bool
  default     = true
}

variable "alarm_topic_arn" {
  description = "The SNS topic of the alarms that somebody must act on now, since an evaluation is lost or will be. Nothing: they only show in CloudWatch."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$", var.alarm_topic_arn))
    error_message = "The ARN of an SNS topic, or nothing."
  }
}

variable "alarm_topic_name" {
  description = "The same by the name of a topic in this account and Region."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,256}$", var.alarm_topic_name))
    error_message = "The name of an SNS topic, or nothing."
  }
}

variable "notice_topic_arn" {
  description = "The SNS topic of the alarms that can wait until the morning. Nothing: they only show in CloudWatch."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$", var.notice_topic_arn))
    error_message = "The ARN of an SNS topic, or nothing."
  }
}

variable "notice_topic_name" {
  description = "The same by the name of a topic in this account and Region."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,256}$", var.notice_topic_name))
    error_message = "The name of an SNS topic, or nothing."
  }
}

variable "sweep_silence_hours" {
  description = "Hours without a successful sweep after which the alarm goes off. More than two sweeps are apart; the default is for two a day."
  type        = number
  default     = 26

  validation {
    condition     = var.sweep_silence_hours >= 2 && var.sweep_silence_hours <= 168
    error_message = "2 to 168 hours; CloudWatch looks back a week at most."
  }
}

variable "create_dashboard" {
  description = "Creates a CloudWatch dashboard."
  type        = bool
  default     = false
}

variable "create_insights" {
  description = "Creates three insights in Security Hub CSPM. Once is enough: in the aggregation Region of the administrator account."
  type        = bool
  default     = false
}

# Security and network

variable "permissions_boundary_name" {
  description = "The permissions boundary of both roles, a policy of this path and name in this account, where the account demands one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_/-]*$", var.permissions_boundary_name))
    error_message = "The path and name of an IAM policy, or nothing."
  }
}

variable "kms_key_arn" {
  description = "A key of your own for the log group, the queues and the function's environment. Its key policy must let CloudWatch Logs and EventBridge use it. Nothing: keys of AWS."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.kms_key_arn))
    error_message = "The ARN of a KMS key (not of an alias), or nothing."
  }
}

variable "subnet_ids" {
  description = "Subnets for the function. They need a way to EC2 and Security Hub: interface endpoints or a NAT gateway. Nothing: no VPC."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Security groups of the function, where subnet_ids are given."
  type        = list(string)
  default     = []
}

variable "use_fips_endpoint" {
  description = "Calls the FIPS endpoints of EC2 and Security Hub. Not every Region has them."
  type        = bool
  default     = false
}

variable "use_dualstack_endpoint" {
  description = "Calls the dual-stack endpoints, which also have IPv6. Subnets, where they are given, need IPv6 too."
  type        = bool
  default     = false
}
