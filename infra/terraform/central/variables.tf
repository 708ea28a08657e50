# The same as the parameters of ../../central.yaml, in Terraform's spelling; a test compares names, defaults and patterns.

# The organisation

variable "organization_id" {
  description = "The organisation, whose members may send changes and whose roles are assumed."
  type        = string

  validation {
    condition     = can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "The id of an organisation, o- and letters and digits."
  }
}

variable "accounts" {
  description = "The member accounts, and this one where it is to be swept. Nothing: those of the organisation, which only its management account and delegated administrators may list."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for account in var.accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "Accounts of 12 digits."
  }
}

variable "role_path" {
  description = "The path of all roles, the same as in the members. The queue takes messages only from roles with this path."
  type        = string
  default     = "security"

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]+(/[A-Za-z0-9_+=,.@-]+)*$", var.role_path))
    error_message = "Words with slashes between them, without one before and after."
  }
}

variable "role_region" {
  description = "The one Region whose call of the module makes the roles, which all Regions use. Apply it first."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.role_region))
    error_message = "The name of a Region."
  }
}

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
  description = "Whether messages are taken and sweeps are started. false keeps everything and does nothing."
  type        = bool
  default     = true
}

variable "sweep_rate" {
  description = "How often every member account is swept. A rate fires at once, so the deployment starts the first sweep."
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
  description = "The function's name. The role and the queues are named by it, and the members go by these names."
  type        = string
  default     = "sg-trust-central"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,40}$", var.function_name))
    error_message = "1 to 40 letters, digits, hyphens and underscores."
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

variable "event_concurrency" {
  description = "Batches of changes that are worked on at once."
  type        = number
  default     = 10

  validation {
    condition     = var.event_concurrency >= 2 && var.event_concurrency <= 1000
    error_message = "2 to 1000."
  }
}

variable "sweep_concurrency" {
  description = "Accounts that are swept at once."
  type        = number
  default     = 10

  validation {
    condition     = var.sweep_concurrency >= 2 && var.sweep_concurrency <= 1000
    error_message = "2 to 1000."
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
  description = "The SNS topic that alarms notify. Nothing: the alarms only show in CloudWatch."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$", var.alarm_topic_arn))
    error_message = "The ARN of an SNS topic, or nothing."
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

# Security

variable "permissions_boundary_name" {
  description = "The permissions boundary of the roles, a policy of this path and name in this account, where the account demands one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_/-]*$", var.permissions_boundary_name))
    error_message = "The path and name of an IAM policy, or nothing."
  }
}
