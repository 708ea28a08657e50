# The group is managed elsewhere, and has the other half of the ports there.
variable "id" {
  type = string
}

resource "aws_vpc_security_group_ingress_rule" "high" {
  security_group_id            = var.id
  ip_protocol                  = "tcp"
  from_port                    = 33000
  to_port                      = 65535
  referenced_security_group_id = var.id
}
