variable "name" {
  type = string
}

variable "clients" {
  type = string
}

locals {
  source_group = var.clients
}

resource "aws_security_group" "db" {
  name = var.name
}

resource "aws_vpc_security_group_ingress_rule" "all" {
  security_group_id            = aws_security_group.db.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
  referenced_security_group_id = local.source_group
}

output "group_id" {
  value = aws_security_group.db.id
}
