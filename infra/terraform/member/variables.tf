# The same as the parameters of ../../member.yaml, in Terraform's spelling; a test compares names, defaults and patterns.

# The security account

variable "central_account_id" {
  description = "The security account, in which ../central is deployed."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.central_account_id))
    error_message = "The 12 digits of an account."
  }
}

variable "central_function_name" {
  description = "function_name of the central modules. Their roles and queues are named by it."
  type        = string
  default     = "sg-trust-central"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,40}$", var.central_function_name))
    error_message = "At most 40 letters, digits, hyphens and underscores."
  }
}

variable "central_key_arn" {
  description = "The key of the central queue in this Region (output event_queue_key_arn of the central module). Nothing: any key of the security account, as far as the key's own policy allows it; then every Region takes the same variables."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.central_key_arn))
    error_message = "The ARN of a KMS key, or nothing."
  }
}

# This account

variable "role_path" {
  description = "The path of both roles. The central queue takes messages only from roles with this path."
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

variable "enabled" {
  description = "Whether changes are sent."
  type        = bool
  default     = true
}

variable "permissions_boundary_name" {
  description = "The name of a policy of this account that bounds the roles."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@/-]{0,128}$", var.permissions_boundary_name))
    error_message = "The name of a policy with its path, or nothing."
  }
}
