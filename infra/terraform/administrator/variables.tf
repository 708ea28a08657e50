# The same as the parameters of ../../administrator.yaml, in Terraform's spelling; a test compares names and defaults.

variable "enabled" {
  description = "false stops telling, and keeps everything else. What comes meanwhile stays NEW, and is told when it is imported again."
  type        = bool
  default     = true
}

variable "topic_arn" {
  description = "The SNS topic that tells people, by mail or in a chat."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.topic_arn))
    error_message = "The ARN of an SNS topic."
  }
}

variable "topic_key_arn" {
  description = "The key of the topic, where it has one of your own."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.topic_key_arn))
    error_message = "The ARN of a KMS key (not of an alias), or nothing."
  }
}

variable "format" {
  description = "text: plain text, for mail. chat: the custom notifications of Amazon Q Developer in chat applications (Slack, Teams, Chime). A topic takes one of them; Amazon Q drops what it does not know."
  type        = string
  default     = "text"

  validation {
    condition     = contains(["text", "chat"], var.format)
    error_message = "One of text, chat."
  }
}

variable "severity_floor" {
  description = "Findings of this severity and above are told. Without [sensitivity] in policy.toml every finding has the severity that it sets, LOW by default."
  type        = string
  default     = "MEDIUM"

  validation {
    condition     = contains(["LOW", "MEDIUM", "HIGH", "CRITICAL"], var.severity_floor)
    error_message = "One of LOW, MEDIUM, HIGH, CRITICAL."
  }
}

variable "alarm_topic_arn" {
  description = "The SNS topic that is told when people could not be told, or functions fail in many accounts. Nothing - alarms only show in CloudWatch."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$", var.alarm_topic_arn))
    error_message = "The ARN of an SNS topic, or nothing."
  }
}

variable "check_again_function_name" {
  description = "The function of this account that evaluates on the custom action \"Check again\". It evaluates findings of this account only."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,64}$", var.check_again_function_name))
    error_message = "The name of a function, or nothing."
  }
}

variable "check_again_queue_name" {
  description = "In central mode instead, the work queue of the function in this account and Region. It evaluates findings of all members in this Region."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,80}$", var.check_again_queue_name))
    error_message = "The name of a queue, or nothing."
  }
}

variable "function_name" {
  description = "The functions' name, the same in every account."
  type        = string
  default     = "sg-trust-lambda"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.function_name))
    error_message = "1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "create_fleet_alarm" {
  description = "Creates one alarm on the errors of all functions in this Region, by account. This account has to be the monitoring account of CloudWatch's cross-account observability."
  type        = bool
  default     = false
}

variable "create_dashboard" {
  description = "Creates a dashboard of all accounts in this Region, with the same condition."
  type        = bool
  default     = false
}

variable "create_insights" {
  description = "Creates three insights in Security Hub CSPM - by group, by account, by severity."
  type        = bool
  default     = true
}

variable "create_automation_rule" {
  description = "Creates an example of an automation rule, switched off - findings of production are HIGH at least."
  type        = bool
  default     = false
}

variable "permissions_boundary_name" {
  description = "The permissions boundary of the roles - a policy of this name in this account - where the account demands one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_/-]*$", var.permissions_boundary_name))
    error_message = "The path and name of an IAM policy, or nothing."
  }
}

variable "log_retention_days" {
  description = "Days after which log lines of failed executions are deleted."
  type        = number
  default     = 90

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days
    )
    error_message = "One of the retentions that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}
